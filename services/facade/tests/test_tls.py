"""The way to the old shop where a certificate is asked for, with the ones that the containers get."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.compose import certificates
from facade import tls
from facade.legacy_client import LegacyClient
from facade.legacy_http import LegacyRequest
from facade.ports import CannotAnswer
from tests.servers.mounted import Mounted

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"ok": 1}'


FILES = ("legacy-ca.pem", "legacy-client.pem", "legacy-client.key")


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """The address of an old shop that wants to see a certificate, and the folder of the facade's."""
    async with _door(tmp_path) as made:
        yield made


@asynccontextmanager
async def _door(place: Path) -> AsyncIterator[tuple[str, Path]]:
    server, client = place / "server", place / "client"
    server.mkdir(parents=True)
    client.mkdir()
    certificates.provide(server, client)
    wanted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=server / "legacy-ca.pem")
    wanted.verify_mode = ssl.CERT_REQUIRED
    wanted.load_cert_chain(server / "legacy-server.pem", server / "legacy-server.key")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=wanted)
    yield f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}", client
    listening.close()


def _certificate(folder: Path) -> tls.Certificate:
    authority, certificate, key = (str(folder / name) for name in FILES)
    return tls.Certificate(authority, certificate, key, look_seconds=0)


@asynccontextmanager
async def _client(address: str, context: Callable[[], ssl.SSLContext]) -> AsyncIterator[LegacyClient]:
    client = LegacyClient("old", address, seconds=5, connections=1, tls=context)
    await client.start()
    yield client
    await client.stop()


async def _ask(address: str, context: Callable[[], ssl.SSLContext]) -> bytes:
    async with _client(address, context) as client:
        return (await client.answer(LegacyRequest("GET", "/legacy/api/products"))).body


def _nameless(certificate: tls.Certificate) -> Callable[[], ssl.SSLContext]:
    """Here the old shop has no name."""

    def context() -> ssl.SSLContext:
        made = certificate.context()
        made.check_hostname = False
        return made

    return context


async def test_who_shows_the_facades_certificate_is_answered(door: tuple[str, Path]) -> None:
    address, folder = door
    assert await _ask(address, _nameless(_certificate(folder))) == b'{"ok": 1}'


async def test_who_shows_none_is_not(door: tuple[str, Path]) -> None:
    address, folder = door
    with pytest.raises(CannotAnswer):
        await _ask(address, lambda: ssl.create_default_context(cafile=folder / "legacy-ca.pem"))


async def test_whoever_answers_under_another_name_is_not_believed(door: tuple[str, Path]) -> None:
    address, folder = door
    with pytest.raises(CannotAnswer):
        await _ask(address, _certificate(folder).context)


async def test_renewed_files_count_from_the_next_connection(door: tuple[str, Path], tmp_path: Path) -> None:
    address, first = door
    mounted = Mounted(tmp_path / "mounted", _content(first))
    context = _nameless(_certificate(mounted.path))
    assert await _ask(address, context) == b'{"ok": 1}'
    async with _door(tmp_path / "renewed") as (renewed, second), _client(renewed, context) as client:
        asked = LegacyRequest("GET", "/legacy/api/products")
        with pytest.raises(CannotAnswer):
            await client.answer(asked)
        mounted.replace(_content(second) | {"legacy-client.key": (first / "legacy-client.key").read_bytes()})
        assert await _ask(address, context) == b'{"ok": 1}', "half of a change is none"
        mounted.replace(_content(second))
        assert (await client.answer(asked)).body == b'{"ok": 1}'
        with pytest.raises(CannotAnswer):
            await _ask(address, context)


def _content(folder: Path) -> dict[str, str | bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


async def test_unchanged_files_make_no_new_connections(door: tuple[str, Path]) -> None:
    certificate = _certificate(door[1])
    assert certificate.context() is certificate.context()


def test_without_files_there_is_no_certificate() -> None:
    assert tls.of_files(None, None, None) is None

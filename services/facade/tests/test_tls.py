"""The way to the old shop where a certificate is asked for, with the ones that the containers get."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.compose import certificates
from facade import tls
from facade.legacy_client import LegacyClient
from facade.legacy_http import LegacyRequest
from facade.ports import CannotAnswer

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"ok": 1}'


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """The address of an old shop that wants to see a certificate, and the folder of the facade's."""
    server, client = tmp_path / "server", tmp_path / "client"
    server.mkdir()
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


def _context(folder: Path) -> ssl.SSLContext:
    files = [str(folder / name) for name in ("legacy-ca.pem", "legacy-client.pem", "legacy-client.key")]
    made = tls.context(*files)
    assert made is not None
    return made


async def _ask(address: str, context: ssl.SSLContext | None) -> bytes:
    client = LegacyClient("old", address, seconds=5, connections=1, tls=context)
    await client.start()
    try:
        return (await client.answer(LegacyRequest("GET", "/legacy/api/products"))).body
    finally:
        await client.stop()


async def test_who_shows_the_facades_certificate_is_answered(door: tuple[str, Path]) -> None:
    address, folder = door
    context = _context(folder)
    context.check_hostname = False  # here the old shop has no name
    assert await _ask(address, context) == b'{"ok": 1}'


async def test_who_shows_none_is_not(door: tuple[str, Path]) -> None:
    address, folder = door
    with pytest.raises(CannotAnswer):
        await _ask(address, ssl.create_default_context(cafile=folder / "legacy-ca.pem"))


async def test_whoever_answers_under_another_name_is_not_believed(door: tuple[str, Path]) -> None:
    address, folder = door
    with pytest.raises(CannotAnswer):
        await _ask(address, _context(folder))


def test_without_files_there_is_no_certificate() -> None:
    assert tls.context(None, None, None) is None

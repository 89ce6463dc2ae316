"""A body over the limit is refused: by its declared length unread, otherwise as soon as it has grown past it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sample.main import Settings, create_app

from chassis.service import BODY_LIMIT


@pytest.fixture
async def client(alone: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app, *_ = create_app(alone)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        yield http


def is_too_large(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["type"]) == (413, "urn:banyan:problem:payload-too-large")


async def test_a_declared_length_over_the_limit_is_refused_unread(client: httpx.AsyncClient) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(160):
            read += BODY_LIMIT
            yield b"x" * BODY_LIMIT

    answer = await client.post("/notes", content=body(), headers={"Content-Length": str(160 * BODY_LIMIT)})
    assert is_too_large(answer)
    assert answer.headers["connection"] == "close"
    assert read == 0


async def test_a_chunked_body_is_refused_when_it_has_grown_past_the_limit(client: httpx.AsyncClient) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1024
            yield b"x" * 1024

    assert is_too_large(await client.post("/notes", content=body(), headers={"Content-Type": "application/json"}))
    assert BODY_LIMIT < read <= BODY_LIMIT + 2048, "an endless body was read on"


@pytest.mark.parametrize("declared", ["", "+1", "9" * 5000, "²"])
async def test_a_length_that_is_no_number_is_no_bug(client: httpx.AsyncClient, declared: str) -> None:
    headers = {b"Content-Length": declared.encode("latin-1")}
    answer = await client.post("/notes", content=b"{}", headers=headers)
    assert answer.status_code in (413, 422)


async def test_a_body_at_the_limit_is_read(client: httpx.AsyncClient) -> None:
    body = b'{"text": "x", "weight": 0}'
    answer = await client.post("/notes", content=body.ljust(BODY_LIMIT), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, "read, and found wanting for another reason"

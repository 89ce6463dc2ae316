"""The patience of the generator, against a server that follows a script."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.traffic.api import Api, Request, Unexpected
from tests.traffic.shopper import browse
from tests.traffic.tally import Tally

PLACE = Request("place", "POST", "/api/orders", body={"lines": []}, headers={"Idempotency-Key": "k-1"})
IN_PROGRESS = '{"type": "urn:banyan:problem:request-in-progress"}'
DROP = None


def _answer(status: int, body: str = "{}", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", f"content-length: {len(body)}", "content-type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@asynccontextmanager
async def _shop(script: Sequence[bytes | None]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives the answers in turn (`DROP`: closes the connection) and keeps the requests."""
    answers, requests = iter(script), list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.lower().split(b"\r\n")
                length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")), 0)
                requests.append(head + await reader.readexactly(length))
                answer = next(answers)
                if answer is DROP:
                    break
                writer.write(answer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests


async def _ask(script: Sequence[bytes | None], *expected: int, patience: float = 30) -> tuple[int, Tally, list[bytes]]:
    tally = Tally()
    async with _shop(script) as (url, requests), Api(url, tally, patience) as api:
        try:
            status = (await api.call(PLACE, *expected)).status
        except Unexpected:
            status = 0
    return status, tally, requests


@pytest.mark.parametrize(
    "first", [_answer(503), _answer(502), _answer(504), _answer(429), _answer(409, IN_PROGRESS), DROP]
)
async def test_a_busy_shop_and_a_lost_connection_are_asked_again_with_the_same_key(first: bytes | None) -> None:
    status, tally, requests = await _ask([first, _answer(202)], 202)
    assert status == 202
    assert tally.retries.total() == 1
    assert not tally.wrong_counts
    assert len(requests) == 2
    assert all(b"k-1" in request for request in requests)


async def test_retry_after_is_obeyed() -> None:
    started = asyncio.get_running_loop().time()
    status, tally, _ = await _ask([_answer(429, retry_after="1"), _answer(202)], 202)
    assert status == 202
    assert asyncio.get_running_loop().time() - started >= 1
    assert tally.latencies["place"][0] >= 1


async def test_retries_end_when_patience_does() -> None:
    status, tally, requests = await _ask([_answer(503)] * 50, 202, patience=1)
    assert status == 0
    assert tally.wrong_counts == {"place: gave up": 1}
    assert 2 <= len(requests) < 50


@pytest.mark.parametrize("bad", [_answer(500), _answer(409, '{"type": "urn:banyan:problem:conflict"}'), _answer(200)])
async def test_an_answer_that_was_not_promised_is_reported_and_not_asked_for_again(bad: bytes) -> None:
    status, tally, requests = await _ask([bad], 202)
    assert status == 0
    assert tally.wrong_counts.total() == 1
    assert len(requests) == 1


async def test_problems_are_counted_by_their_type() -> None:
    _, tally, _ = await _ask([_answer(503, '{"type": "urn:banyan:problem:upstream-unavailable"}'), _answer(202)], 202)
    assert tally.problems == {"urn:banyan:problem:upstream-unavailable": 1}


async def test_a_catalogue_whose_pages_run_in_circles_is_not_read_for_ever() -> None:
    page = _answer(200, '{"items": [], "next_cursor": "again"}')
    tally = Tally()
    async with _shop([page] * 50) as (url, requests), Api(url, tally) as api:
        with pytest.raises(Unexpected):
            await browse(api)
    assert tally.wrong_counts == {"a list runs in circles": 1}
    assert len(requests) == 2

"""Time left: work is not begun after it, is cancelled at it, and what is handed on is less than what came."""

import asyncio
import contextlib
from contextvars import copy_context

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from chassis import deadlines
from chassis.http_client import HttpClient
from chassis.middleware import Deadline


class Work:
    """An application that waits, and counts what it began and ended."""

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds
        self.begun = self.ended = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun += 1
        await asyncio.sleep(self.seconds)
        self.ended += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


async def get(work: Work, deadline: str | None) -> httpx.Response:
    headers = {} if deadline is None else {"X-Request-Deadline": deadline}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Deadline(work)), base_url="http://test") as client:
        return await client.get("/", headers=headers)


async def test_work_whose_deadline_has_passed_is_not_started() -> None:
    work = Work()
    answer = await get(work, "0")
    assert (answer.status_code, answer.json()["type"]) == (504, "urn:banyan:problem:deadline-exceeded")
    assert work.begun == 0


async def test_work_is_cancelled_at_its_deadline() -> None:
    work = Work(seconds=30)
    answer = await get(work, "50")
    assert (answer.status_code, work.begun, work.ended) == (504, 1, 0)


@pytest.mark.parametrize("deadline", [None, "1000", "600000"])
async def test_work_in_time_is_answered(deadline: str | None) -> None:
    assert (await get(Work(), deadline)).text == "done"


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "600001", "1e3", "+5", "٣", "9" * 5000])
async def test_a_malformed_deadline_is_refused(value: str) -> None:
    with pytest.raises(ValueError):
        deadlines.parse(value)


async def test_a_malformed_header_gets_a_problem_and_no_work() -> None:
    work = Work()
    answer = await get(work, "soon")
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:banyan:problem:malformed-request")
    assert work.begun == 0


@given(st.text())
def test_any_header_is_read_or_refused(value: str) -> None:
    with contextlib.suppress(ValueError):
        assert 0 <= deadlines.parse(value) <= 600


async def test_the_deadline_is_handed_on_lowered() -> None:
    received: list[httpx.Request] = []

    async def upstream(request: httpx.Request) -> httpx.Response:
        received.append(request)
        return httpx.Response(200)

    client = HttpClient("upstream", "http://upstream.test", timeout=30, transport=httpx.MockTransport(upstream))
    await client.start()

    async def handle() -> None:
        deadlines.begin(2.0)
        await asyncio.sleep(0.05)
        await client.request("GET", "/")

    await asyncio.create_task(handle(), context=copy_context())
    await client.stop()
    assert 1000 < int(received[0].headers["x-request-deadline"]) <= 1950


async def test_no_call_is_begun_after_the_deadline() -> None:
    called: list[httpx.Request] = []

    async def upstream(request: httpx.Request) -> httpx.Response:
        called.append(request)
        return httpx.Response(200)

    client = HttpClient("late", "http://upstream.test", timeout=30, transport=httpx.MockTransport(upstream))
    await client.start()

    async def handle() -> None:
        deadlines.begin(-0.001)
        with pytest.raises(deadlines.DeadlineExceeded):
            await client.request("GET", "/")

    await asyncio.create_task(handle(), context=copy_context())
    await client.stop()
    assert not called


async def test_deadlines_of_concurrent_requests_are_apart() -> None:
    async def request(seconds: float) -> float:
        deadlines.begin(seconds)
        await asyncio.sleep(0.01)
        return deadlines.remaining(600)

    short, long = await asyncio.gather(request(1), request(100))
    assert short < 1 < 99 < long
    assert deadlines.remaining(600) == 600

"""The bridge as the facade hears it, also when it says nothing."""

import json

import httpx
import pytest

from chassis.shared_key import SharedKey
from facade.clients import HttpBridge, bridge
from facade.cutover import NotDrained
from facade.guard import Lag


async def asked(answer: httpx.Response | Exception) -> HttpBridge:
    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    made = bridge("http://bridge", SharedKey(lambda: "key"), httpx.MockTransport(handle))
    for part in made.parts:
        await part.start()
    return made


async def test_the_lag_is_told_both_ways() -> None:
    status = {"captured": 9, "published": 7, "lag_seconds": 0.4, "to_legacy": {"pending": 1, "lag_seconds": 0.7}}
    assert await (await asked(httpx.Response(200, json=status))).lag() == Lag(0.4, 0.7)


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(401), httpx.Response(503), httpx.Response(200, json={}), httpx.ConnectError("refused")],
)
async def test_a_bridge_that_does_not_say_is_not_taken_for_a_prompt_one(answer: httpx.Response | Exception) -> None:
    assert await (await asked(answer)).lag() is None


@pytest.mark.parametrize("answer", [httpx.Response(504), httpx.Response(422), httpx.ConnectError("refused")])
async def test_a_drain_counts_only_when_the_bridge_says_so(answer: httpx.Response | Exception) -> None:
    with pytest.raises(NotDrained):
        await (await asked(answer)).drain_to_shop(1.0)


async def test_no_order_is_left_out_of_a_drain_because_there_are_many() -> None:
    parts = []

    def handle(request: httpx.Request) -> httpx.Response:
        parts.append(json.loads(request.content)["orders"])
        return httpx.Response(200, json={"seconds": 0.0})

    made = bridge("http://bridge", SharedKey(lambda: "key"), httpx.MockTransport(handle))
    for part in made.parts:
        await part.start()
    await made.drain_to_legacy(range(1, 12_002), 1.0)
    assert [len(part) for part in parts] == [5000, 5000, 2001]
    assert [number for part in parts for number in part] == list(range(1, 12_002))


async def test_drains_that_fail_do_not_hide_the_lag() -> None:
    """A breaker that they open is their own."""

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(504)
        return httpx.Response(200, json={"lag_seconds": 0.1, "to_legacy": {"lag_seconds": 0.1}})

    made = bridge("http://bridge", SharedKey(lambda: "key"), httpx.MockTransport(handle))
    for part in made.parts:
        await part.start()
    for _ in range(30):
        with pytest.raises(NotDrained):
            await made.drain_to_legacy([1_000_001], 1.0)
    assert await made.lag() == Lag(0.1, 0.1)

"""Reads asked for together are loaded together, and none is answered from before it was asked."""

import asyncio
from dataclasses import dataclass, field

import pytest

from chassis.batching import LARGEST, Batched


@dataclass
class Shelf:
    """Loads from `values`, as they are when the query is let through; `asked` holds the keys of each query."""

    values: dict[str, int]
    asked: list[list[str]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def load(self, keys: list[str]) -> dict[str, int]:
        self.asked.append(keys)
        seen = {key: self.values[key] for key in keys if key in self.values}
        await self.open.wait()
        return seen


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_asked_for_during_a_query_is_asked_for_in_the_next_one() -> None:
    shelf = Shelf({"a": 1, "b": 2})
    batched = Batched(shelf.load)
    first = asyncio.create_task(batched.get("a"))
    await settled()
    rest = [asyncio.create_task(batched.get(key)) for key in ("a", "b", "b", "c")]
    await settled()
    shelf.open.set()
    assert await asyncio.gather(first, *rest) == [1, 1, 2, 2, None]
    assert shelf.asked == [["a"], ["a", "b", "c"]]


async def test_a_read_sees_what_was_written_before_it_although_an_older_query_is_under_way() -> None:
    shelf = Shelf({"a": 1})
    batched = Batched(shelf.load)
    before = asyncio.create_task(batched.get("a"))
    await settled()
    shelf.values["a"] = 2
    after = asyncio.create_task(batched.get("a"))
    await settled()
    shelf.open.set()
    assert (await before, await after) == (1, 2)


async def test_who_gives_up_takes_nobody_along() -> None:
    shelf = Shelf({"a": 1})
    batched = Batched(shelf.load)
    impatient, patient = asyncio.create_task(batched.get("a")), asyncio.create_task(batched.get("a"))
    await settled()
    impatient.cancel()
    shelf.open.set()
    assert await patient == 1
    assert await batched.get("a") == 1


async def test_a_failed_query_fails_its_own_readers_and_no_later_ones() -> None:
    class DownError(Exception):
        pass

    failures = [DownError()]

    async def load(keys: list[str]) -> dict[str, int]:
        await asyncio.sleep(0)
        if failures:
            raise failures.pop()
        return dict.fromkeys(keys, 1)

    batched = Batched(load)
    outcomes = await asyncio.gather(batched.get("a"), batched.get("b"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DownError, DownError]
    assert await batched.get("a") == 1


@pytest.mark.parametrize("number", [LARGEST - 1, LARGEST, LARGEST + 1, 3 * LARGEST])
async def test_no_query_grows_beyond_the_limit(number: int) -> None:
    shelf = Shelf({str(key): key for key in range(number)})
    shelf.open.set()
    batched = Batched(shelf.load)
    assert await asyncio.gather(*(batched.get(str(key)) for key in range(number))) == list(range(number))
    assert max(map(len, shelf.asked)) <= LARGEST

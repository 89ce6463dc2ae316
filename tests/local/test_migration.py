"""The operator's commands: the table tells enough to decide by, in a pipe too, and a refusal says what is missing."""

import io
from argparse import Namespace
from typing import Any

import httpx
import orjson
import pytest
from rich.console import Console

from deploy.local import migration
from deploy.local.place import Place
from deploy.local.screen import RunError, Screen
from deploy.local.shop import Shop

REFUSED = {
    "type": "urn:banyan:problem:promotion-refused",
    "title": "The evidence does not do",
    "status": 409,
    "detail": "12 answers compared, 200 are needed",
}
UNDONE = {
    "type": "urn:banyan:problem:cutover-undone",
    "title": "The cut-over took too long and was undone",
    "status": 503,
    "detail": "orders stays at shadow: the bridge is not drained",
}


def capability(name: str, **other: Any) -> dict[str, Any]:
    """As the facade tells it."""
    return {
        "name": name,
        "stage": "canary",
        "percent": 10,
        "parked": False,
        "served": {"legacy": 900, "modern": 100},
        "failed": {"legacy": 0, "modern": 3},
        "compared": 812,
        "match_rate": 0.9988,
        "dropped": 4,
        "latency_ms": {"legacy": {"p50": 12.31, "p99": 48.0}, "modern": {"p50": 7.0, "p99": 21.5}},
        "holds": {"count": 0, "p99_seconds": None, "longest_seconds": 0.0},
        "lag_seconds": {"to_shop": 0.21, "to_legacy": 0.1},
        **other,
    }


def printed(*capabilities: dict[str, Any]) -> str:
    """What a pipe gets."""
    file = io.StringIO()
    Console(file=file, highlight=False).print(migration.table(list(capabilities)))
    return file.getvalue()


def row(text: str, title: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith(title)]
    return line.removeprefix(title).strip()


def test_a_pipe_gets_the_whole_table_without_colours() -> None:
    holds = {"count": 31, "p99_seconds": 0.4, "longest_seconds": 0.52}
    text = printed(capability("catalog"), capability("orders", stage="modern", holds=holds))
    assert "\x1b" not in text
    assert "…" not in text
    assert row(text, "stage").split("  ")[0] == "canary 10 %"
    assert row(text, "answered by the new side").startswith("100 (10%)")
    assert row(text, "of them equal").startswith("99.88%")
    assert row(text, "old shop, p50 / p99").startswith("12.3 / 48.0 ms")
    assert row(text, "writes held at cut-overs").endswith("31, longest 0.52 s")
    assert row(text, "bridge behind, to the new").startswith("0.2 s")
    assert len(text.splitlines()) == len(migration.ROWS) + 1


def test_what_is_not_known_yet_is_not_shown_as_nothing() -> None:
    nothing = {"p50": None, "p99": None}
    text = printed(
        capability("catalog", match_rate=None, lag_seconds=None, latency_ms={"legacy": nothing, "modern": nothing})
    )
    assert row(text, "of them equal") == "-"
    assert row(text, "new side, p50 / p99") == "-"
    assert row(text, "bridge behind, to the old") == "unknown"


def test_held_writes_are_seen_in_the_stage() -> None:
    assert migration.stage(capability("orders", stage="cutover", parked=True)) == "cutover, writes are held"


class FakeFacade:
    """Gives one answer, and remembers what it was asked."""

    def __init__(self, status: int, answer: Any) -> None:
        self.answer = httpx.Response(status, json=answer)
        self.asked: list[tuple[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.url.path, orjson.loads(request.content)))
        return self.answer


async def moved(facade: FakeFacade, wish: dict[str, Any]) -> migration.Capability:
    async with Shop("http://shop", httpx.MockTransport(facade)) as shop:
        return await migration.move(shop, "catalog", wish)


async def test_a_move_says_where_the_capability_stands() -> None:
    facade = FakeFacade(200, capability("catalog"))
    assert migration.stage(await moved(facade, {"to": "canary", "percent": 10})) == "canary 10 %"
    assert facade.asked == [("/api/migration/capabilities/catalog/stage", {"to": "canary", "percent": 10})]


async def test_a_refused_move_says_what_is_missing_and_how_to_insist() -> None:
    with pytest.raises(RunError, match="12 answers compared, 200 are needed") as refused:
        await moved(FakeFacade(409, REFUSED), {"to": "modern"})
    assert "FORCE=yes" in refused.value.advice


async def test_a_cut_over_that_was_undone_is_not_tried_again_by_itself() -> None:
    facade = FakeFacade(503, UNDONE)
    with pytest.raises(RunError, match="the bridge is not drained"):
        await moved(facade, {"to": "cutover"})
    assert len(facade.asked) == 1


def test_a_move_is_told_with_who_and_why() -> None:
    entry = {
        "at": "2026-11-24T20:31:12.123456Z",
        "who": "operator 7",
        "capability": "catalog",
        "from_stage": "shadow",
        "to_stage": "canary",
        "percent": 10,
        "forced": True,
        "reason": "a quiet night",
    }
    line = migration.moved(entry)
    assert line == "2026-11-24T20:31:12  catalog shadow → canary 10 % by operator 7, against the guard: a quiet night"


def test_a_difference_is_told_by_its_first_place() -> None:
    place = {"path": "body.price", "class": "rounding", "legacy": "47.13", "modern": "47.00"}
    sample = {"capability": "catalog", "method": "GET", "path": "/legacy/api/products/3", "differences": [place, place]}
    assert migration.differing(sample) == (
        "catalog GET /legacy/api/products/3: body.price, rounding: "
        "'47.13' in the old shop, '47.00' in the new (and 1 more)"
    )


@pytest.mark.parametrize(("to", "percent"), [("canary", None), ("shadow", 10)])
def test_a_share_goes_with_a_canary_and_with_nothing_else(to: str, percent: int | None) -> None:
    options = Namespace(target="local", capability="catalog", to=to, percent=percent, reason="", force=False)
    with pytest.raises(RunError, match="share of the customers"):
        migration.migrate(options, Place.current(), Screen())

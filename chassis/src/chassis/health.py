"""Probes: three answers with three meanings, each within a second.

`/healthz` alive: the state of this process only, for a restart cures nothing else; and which commit it runs.
`/startupz` started: the database stands at this code's revision or a newer one. `/readyz` may take traffic: the own
database answers, and the process is not draining.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chassis.lifecycle import Lifecycle

Check = Callable[[], Awaitable[str | None]]
TIME_LIMIT = 1.0


async def run(checks: Sequence[Check]) -> list[str]:
    """What is wrong, in words; a check that takes over a second is wrong too."""

    async def one(check: Check) -> str | None:
        try:
            async with asyncio.timeout(TIME_LIMIT):
                return await check()
        except Exception as error:
            return f"{check.__name__}: {str(error) or type(error).__name__}"

    return [problem for problem in await asyncio.gather(*map(one, checks)) if problem]


def router(
    lifecycle: Lifecycle, started: Sequence[Check], ready: Sequence[Check], origin: Mapping[str, str]
) -> APIRouter:
    """The three probes and `/metrics`; `origin` is told beside whether the process is alive."""
    routes = APIRouter(include_in_schema=False)

    async def alive() -> str | None:
        dead = lifecycle.dead()
        return f"ended unexpectedly: {', '.join(dead)}" if dead else None

    async def not_draining() -> str | None:
        return "draining" if lifecycle.draining else None

    def probe(path: str, checks: Sequence[Check], told: Mapping[str, str] = MappingProxyType({})) -> None:
        async def answer() -> Response:
            problems = await run(checks)
            found = {"status": "failing" if problems else "ok", "problems": problems}
            return JSONResponse({**found, **told}, 503 if problems else 200)

        routes.add_api_route(path, answer)

    probe("/healthz", [alive], origin)
    probe("/startupz", started)
    probe("/readyz", [not_draining, *ready])
    routes.add_api_route("/metrics", metrics)
    return routes


async def metrics() -> Response:
    """Prometheus text."""
    return PlainTextResponse(generate_latest(), media_type=CONTENT_TYPE_LATEST)

"""Faults on purpose: delay, error or a dropped answer for a share of the requests, to be switched on while running.

Absent unless `FAULTS_TOKEN` is set. Probes are exempt: a fault shows what clients see, and an orchestrator that
restarts the process would end the demonstration.
"""

import asyncio
import random
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis import errors
from chassis.middleware import QUIET_PATHS

PATH = "/faults"
INJECTED = errors.Problem(503, "fault-injected", "A fault was injected on purpose")
_bearer = HTTPBearer(auto_error=False)


class Fault(BaseModel):
    """What happens to requests whose path starts with `prefix`, with the given probability."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix: str = Field(default="/", max_length=200)
    probability: float = Field(default=1.0, ge=0, le=1)
    delay_ms: int = Field(default=0, ge=0, le=60_000)
    error: int | None = Field(default=None, ge=500, le=599)
    drop: bool = Field(default=False, description="do the work, then close the connection without an answer")


class Faults:
    """The faults that are switched on; the first that fits a request applies."""

    def __init__(self, randomness: random.Random | None = None) -> None:
        self.active: list[Fault] = []
        self._random = randomness or random.Random()  # noqa: S311 - a die, not a secret

    def draw(self, path: str) -> Fault | None:
        """The fault for a request to `path`, if any."""
        fault = next((f for f in self.active if path.startswith(f.prefix)), None)
        return fault if fault is not None and self._random.random() < fault.probability else None


class Inject:
    """The middleware: applies a drawn fault."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exempt = scope["type"] != "http" or scope["path"] in QUIET_PATHS or scope["path"] == PATH
        fault = None if exempt else self._faults.draw(scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(fault.delay_ms / 1000)
        if fault.error is not None:
            problem = errors.Problem(fault.error, INJECTED.slug, INJECTED.title)
            await errors.response(problem, "See /faults")(scope, receive, send)
        elif fault.drop:
            await self._app(scope, receive, _swallow)
            await LostAnswer()(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _swallow(_: object) -> None:
    """Takes the place of `send`: the work is done and nobody hears of it."""


class LostAnswer(Response):
    """Ends the connection in the middle of an answer: the client cannot know what happened."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})


def router(faults: Faults, token: SecretStr) -> APIRouter:
    """GET, PUT and DELETE of the faults, for holders of the faults token."""

    def allowed(sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        if sent is None or not secrets.compare_digest(sent.credentials.encode(), token.get_secret_value().encode()):
            raise errors.ProblemError(errors.UNAUTHENTICATED, "Send the faults token", {"WWW-Authenticate": "Bearer"})

    routes = APIRouter(prefix=PATH, include_in_schema=False, dependencies=[Depends(allowed)])

    @routes.get("")
    async def read() -> list[Fault]:
        return faults.active

    @routes.put("")
    async def replace(active: list[Fault]) -> list[Fault]:
        faults.active = active[:20]
        return faults.active

    @routes.delete("", status_code=204)
    async def clear() -> None:
        faults.active = []

    return routes

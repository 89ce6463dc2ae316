"""The HTTP interface of bridge, for the facade and the operators' commands: how far it is, and waiting for it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from bridge.operations import NotDrained, Operations
from chassis.errors import UNAUTHENTICATED, Problem, ProblemError, responses
from chassis.shared_key import SharedKey

PROBLEMS: Mapping[type[Exception], Problem] = {
    NotDrained: Problem(504, "not-drained", "Not everything has reached the other side in the time allowed")
}


class ToLegacy(BaseModel):
    """`pending` messages of the new shop are not yet applied, the oldest of them for `lag_seconds`."""

    pending: int
    lag_seconds: float


class Table(BaseModel):
    rows: int
    done: bool


class Snapshot(BaseModel):
    done: bool
    tables: dict[str, Table]


class Status(BaseModel):
    """`captured`, `published`: ids of the newest change, and of the newest on the bus; the lag is what lies between."""

    captured: int
    published: int
    lag_seconds: float
    echoes_suppressed: int
    to_legacy: ToLegacy
    snapshot: Snapshot


class ToShopDrain(BaseModel):
    """Everything that the old shop has committed by now is to be known to the new one."""

    model_config = ConfigDict(extra="forbid")

    direction: Literal["to-shop"]
    limit_ms: int = Field(default=2000, ge=1, le=10_000)


class ToLegacyDrain(BaseModel):
    """These orders of the new shop are to be in the old one."""

    model_config = ConfigDict(extra="forbid")

    direction: Literal["to-legacy"]
    orders: list[Annotated[int, Field(ge=1, lt=2**31)]] = Field(max_length=5000)
    limit_ms: int = Field(default=2000, ge=1, le=10_000)


class Drained(BaseModel):
    drained: Literal[True] = True
    seconds: float


TABLES = ("customers", "products", "orders")


def router(operations: Operations, key: SharedKey) -> APIRouter:
    """The routes, for callers who have the key."""
    routes = APIRouter(
        prefix="/api/bridge", tags=["bridge"], dependencies=[Depends(_caller(key))], responses=responses(401)
    )

    @routes.get("/status")
    async def status() -> Status:
        """How far bridge is, both ways."""
        feed, waiting, copied = await operations.feed(), await operations.waiting(), await operations.snapshot()
        tables = {each.table: Table(rows=each.rows, done=each.done) for each in copied}
        done = all(name in tables and tables[name].done for name in TABLES)
        return Status(
            captured=feed.captured,
            published=feed.published,
            lag_seconds=feed.lag,
            echoes_suppressed=feed.suppressed,
            to_legacy=ToLegacy(pending=waiting.pending, lag_seconds=waiting.lag),
            snapshot=Snapshot(done=done, tables=tables),
        )

    @routes.post("/drains", responses=responses(504))
    async def drain(wish: Annotated[ToShopDrain | ToLegacyDrain, Field(discriminator="direction")]) -> Drained:
        """Wait until one side knows what the other has done so far. Nothing is stopped: whoever asks has done that."""
        limit = wish.limit_ms / 1000
        if isinstance(wish, ToShopDrain):
            return Drained(seconds=await operations.drain_to_shop(limit))
        return Drained(seconds=await operations.drain_to_legacy(wish.orders, limit))

    return routes


_bearer = HTTPBearer(auto_error=False, description="The key of bridge")


def _caller(key: SharedKey) -> Callable[..., Awaitable[None]]:
    async def caller(sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        if sent is None or not key.is_shown_by(sent.credentials):
            raise ProblemError(UNAUTHENTICATED, "Send `Authorization: Bearer <key>`", {"WWW-Authenticate": "Bearer"})

    return caller

"""The operators' interface of the facade."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from chassis import errors
from chassis.auth import Authenticate, Caller
from chassis.errors import Problem, responses
from facade.application import Migration
from facade.cutover import CutoverUndone
from facade.domain import Capability, NoSuchMove, Overtaken, ReasonMissing
from facade.guard import PromotionRefused
from facade.views import (
    AuditEntry,
    AuditTrail,
    CapabilityList,
    CapabilityView,
    MismatchList,
    MismatchView,
    MoveTo,
    SeededBug,
    StandingView,
)

PREFIX = "/api/migration"
REFUSED = Problem(409, "promotion-refused", "The evidence does not do")

PROBLEMS: Mapping[type[Exception], Problem] = {
    NoSuchMove: Problem(409, "no-such-move", "The capability cannot go there from where it stands"),
    Overtaken: Problem(409, "overtaken", "Somebody else has moved the capability"),
    ReasonMissing: Problem(422, "reason-missing", "Who forces a move must say why"),
    # 503 and not 409: nothing is wrong with the wish, and the same request may succeed a moment later.
    CutoverUndone: Problem(503, "cutover-undone", "The cut-over took too long and was undone"),
}

Rows = Annotated[int, Query(ge=1, le=200)]


def router(migration: Migration, operator: Authenticate) -> APIRouter:
    """The routes, for operators only."""
    routes = APIRouter(prefix=PREFIX, tags=["migration"], responses=responses(401, 403))
    Operator = Annotated[Caller, Depends(operator)]  # noqa: N806 - a type

    @routes.get("/capabilities")
    async def read(_: Operator) -> CapabilityList:
        """Where each capability stands, who has answered how much, and how well the new side does."""
        found = await migration.overview()
        return CapabilityList(items=[CapabilityView.of(status) for status in found.items], seeded_bug=found.bug)

    @routes.put("/capabilities/{name}/stage", response_model=StandingView, responses=responses(409))
    async def move(name: Capability, to: MoveTo, caller: Operator) -> Response | StandingView:
        """Move a capability. Where the side of writes changes, the answer comes when it is done, or undone."""
        try:
            standing = await migration.move(name, to.wish(), _who(caller.id))
        except PromotionRefused as refused:
            return errors.response(REFUSED, str(refused), evidence=refused.evidence.document())
        return StandingView(**StandingView.fields_of(standing))

    @routes.get("/audit")
    async def read_audit(_: Operator, limit: Rows = 50) -> AuditTrail:
        """Who moved what, when, why and on which evidence; the newest first."""
        return AuditTrail(items=[AuditEntry.of(entry) for entry in await migration.trail(limit)])

    @routes.get("/mismatches")
    async def read_mismatches(_: Operator, capability: Capability, limit: Rows = 50) -> MismatchList:
        """Samples of answers that differ, since the comparison began anew; the newest first."""
        found = await migration.samples(capability, limit)
        return MismatchList(items=[MismatchView.model_validate(sample) for sample in found])

    @routes.put("/seeded-bug", responses=responses(409))
    async def seed(wanted: SeededBug, caller: Operator) -> SeededBug:
        """Switch a known mistake on, to see it found. Comparisons before it count no more."""
        await migration.seed_bug(wanted.bug, _who(caller.id))
        return wanted

    return routes


def _who(caller: UUID) -> str:
    return f"operator {caller}"

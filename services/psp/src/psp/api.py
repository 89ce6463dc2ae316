"""The HTTP interface of the card processor, for merchants that hold its API key."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from chassis.errors import NOT_FOUND, UNAUTHENTICATED, Problem, ProblemError, responses
from chassis.faults import LostAnswer
from chassis.idempotency import PROBLEMS as IDEMPOTENCY_PROBLEMS
from chassis.idempotency import IdempotencyKey, KeyReused
from chassis.shared_key import SharedKey
from psp.application import Processor
from psp.domain import Charge, ChargeNotFound, ChargeRequest, OutOfService, Refund, RefundRefused, UnknownCard

PROBLEMS: Mapping[type[Exception], Problem] = {
    KeyReused: IDEMPOTENCY_PROBLEMS[KeyReused],
    ChargeNotFound: NOT_FOUND,
    UnknownCard: Problem(422, "unknown-card", "No card belongs to the token"),
    RefundRefused: Problem(409, "refund-refused", "The charge does not hold this much money"),
    OutOfService: Problem(503, "out-of-service", "The processor takes no charges now"),
}
REPLAYED = "Idempotent-Replayed"
MAX_AMOUNT = 100_000_000

Amount = Annotated[int, Field(ge=1, le=MAX_AMOUNT, strict=True, description="in minor units")]
Currency = Literal["EUR", "USD", "GBP"]
Key = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]


class NewCharge(BaseModel):
    model_config = ConfigDict(extra="forbid")

    amount: Amount
    currency: Currency
    card_token: str = Field(pattern=r"^[\x21-\x7e]{1,128}$")


class NewRefund(BaseModel):
    model_config = ConfigDict(extra="forbid")

    amount: Amount


class ChargeView(BaseModel):
    """A charge as its merchant sees it: who knows the key needs no card token back."""

    id: UUID
    key: str
    amount: int
    currency: str
    state: Literal["charged", "declined"]
    reason: str | None
    refunded: int
    created_at: datetime

    @classmethod
    def of(cls, charge: Charge) -> Self:
        return cls(
            id=charge.id,
            key=charge.key,
            amount=charge.request.amount,
            currency=charge.request.currency,
            state=charge.state.value,
            reason=charge.reason,
            refunded=charge.refunded,
            created_at=charge.created_at,
        )


class RefundView(BaseModel):
    id: UUID
    charge_id: UUID
    amount: int
    created_at: datetime

    @classmethod
    def of(cls, refund: Refund) -> Self:
        return cls.model_validate(refund, from_attributes=True)


def router(processor: Processor, api_key: SharedKey) -> APIRouter:
    """The routes, for holders of `api_key`."""
    merchant = Depends(_merchant(api_key))
    routes = APIRouter(prefix="/v1/charges", tags=["charges"], dependencies=[merchant], responses=responses(401))

    @routes.post("", status_code=201, response_model=ChargeView)
    async def charge(request: NewCharge, idempotency_key: IdempotencyKey, response: Response) -> ChargeView | Response:
        """Charge a card. A declined card is an answer like any other: look at `state`."""
        wanted = ChargeRequest(request.amount, request.currency, request.card_token)
        done = await processor.charge(idempotency_key, wanted)
        if done.answer_lost:
            return LostAnswer()
        if done.replayed:
            response.headers[REPLAYED] = "true"
        return ChargeView.of(done.charge)

    @routes.get("/by-key/{key}", responses=responses(404))
    async def read_by_key(key: Key) -> ChargeView:
        """The charge that was made with an idempotency key: the way out after a lost answer."""
        return ChargeView.of(await processor.charge_by_key(key))

    @routes.get("/{charge_id}", responses=responses(404))
    async def read(charge_id: UUID) -> ChargeView:
        """One charge."""
        return ChargeView.of(await processor.charge_by_id(charge_id))

    @routes.post("/{charge_id}/refunds", status_code=201, responses=responses(404, 409))
    async def refund(charge_id: UUID, request: NewRefund, idempotency_key: IdempotencyKey) -> RefundView:
        """Give money of a charge back, all of it or a part."""
        return RefundView.of(await processor.refund(charge_id, idempotency_key, request.amount))

    return routes


_bearer = HTTPBearer(auto_error=False, description="The API key")


def _merchant(api_key: SharedKey) -> Callable[..., Awaitable[None]]:
    async def merchant(sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        if sent is None or not api_key.is_shown_by(sent.credentials):
            raise ProblemError(
                UNAUTHENTICATED, "Send `Authorization: Bearer <API key>`", {"WWW-Authenticate": "Bearer"}
            )

    return merchant

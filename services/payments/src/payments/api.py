"""The HTTP interface of payments: what became of an order's money. Money is moved by messages only."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from chassis.auth import Authenticate, Caller
from chassis.errors import NOT_FOUND, Problem, responses
from payments.application import Payments
from payments.domain import Payment, PaymentNotFound, PaymentState

PROBLEMS: Mapping[type[Exception], Problem] = {PaymentNotFound: NOT_FOUND}


class PaymentView(BaseModel):
    """A payment as its customer sees it; `amount` in minor units of the ISO 4217 `currency`."""

    order_id: UUID
    state: PaymentState
    amount: int
    currency: str
    charge_id: UUID | None
    reason: str | None
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, payment: Payment) -> Self:
        return cls.model_validate(payment, from_attributes=True)


def router(payments: Payments, authenticate: Authenticate) -> APIRouter:
    """The routes, for callers whom `authenticate` knows."""
    routes = APIRouter(prefix="/api/payments", tags=["payments"], responses=responses(401))

    @routes.get("/{order_id}", responses=responses(404))
    async def read(order_id: UUID, caller: Annotated[Caller, Depends(authenticate)]) -> PaymentView:
        """The payment of one order, to its customer or to an operator."""
        customer_id = None if "operator" in caller.roles else caller.id
        return PaymentView.of(await payments.read(order_id, customer_id))

    return routes

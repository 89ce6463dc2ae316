"""Orders, as the adapters see it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from chassis.breaker import BreakerOpen
from chassis.deadlines import DeadlineExceeded
from chassis.errors import DependencyUnavailable
from chassis.http_client import HttpClient, OutcomeUnknown, Unreachable
from facade.ports import CannotAnswer
from facade.shop_clients.asking import LARGEST_NUMBER, Minor, ask, read

ATTEMPTS, PAUSE = 3, 0.1
Wish = tuple[str, int]  # ISBN, quantity


@dataclass(frozen=True)
class Line:
    """What was ordered, under the title and at the price of that time."""

    isbn: str
    title: str
    quantity: int
    unit_price: Minor


@dataclass(frozen=True)
class Quote:
    """What an order would cost."""

    lines: tuple[Line, ...]
    total: Minor


@dataclass(frozen=True)
class Order:
    """An order of the new side; `number` is what the old shop's customers know it by."""

    id: UUID
    number: int
    state: Literal["pending", "confirmed", "cancelling", "cancelled"]
    reason: str | None
    lines: tuple[Line, ...]
    total: Minor
    placed_at: datetime

    @property
    def ended(self) -> bool:
        return self.state in ("confirmed", "cancelled")


@dataclass(frozen=True)
class _Orders:
    items: list[Order]


class _Unsent(CannotAnswer):
    """Not sent: once more may do."""


class OrdersClient:
    """Each call is in the name of the customer whose token comes with it."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def place(self, token: str, key: str, wishes: Sequence[Wish], card: str) -> Order:
        """The accepted order. Without an answer it is sent again, under the same key.

        Raises `CannotAnswer` when it was certainly not accepted, `OutcomeUnknown` when nobody knows.
        """
        body = {"lines": _lines(wishes), "card_token": card}
        headers = {**_bearer(token), "Idempotency-Key": key}
        doubt: OutcomeUnknown | None = None
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._send(body, headers)
            except OutcomeUnknown as error:
                doubt = error
            except CannotAnswer as error:
                if attempt == ATTEMPTS or not isinstance(error, _Unsent):
                    raise doubt or error from error
            await asyncio.sleep(PAUSE * attempt)
        raise doubt or CannotAnswer("orders was not asked")

    async def _send(self, body: Any, headers: Mapping[str, str]) -> Order:
        try:
            answer = await self._http.request("POST", "/api/orders", json=body, headers=headers)
        except Unreachable as error:
            raise _Unsent(str(error)) from error
        except (BreakerOpen, DeadlineExceeded) as error:
            raise CannotAnswer(f"orders: {error or type(error).__name__}") from error
        except DependencyUnavailable as error:
            # A 5xx too: it may have come after the order was stored.
            raise OutcomeUnknown(str(error)) from error
        if answer.status_code == 409:
            raise OutcomeUnknown("the first attempt is still running")
        if answer.status_code != 202:
            raise CannotAnswer(f"orders answered {answer.status_code}")
        try:
            return read(Order, answer.content)
        except CannotAnswer as error:
            raise OutcomeUnknown(str(error)) from error

    async def quote(self, token: str, wishes: Sequence[Wish]) -> Quote | None:
        """What such an order would cost; None when a book of it is not in the catalogue, or the lines are refused."""
        path, lines, headers = "/api/orders/quotes", {"lines": _lines(wishes)}, _bearer(token)
        body = await ask(self._http, "POST", path, absent=[422], idempotent=True, json=lines, headers=headers)
        return None if body is None else read(Quote, body)

    async def order(self, token: str, order_id: UUID) -> Order:
        """One order; it must be there."""
        return read(Order, await ask(self._http, "GET", f"/api/orders/{order_id}", headers=_bearer(token)))

    async def numbered(self, token: str, number: int) -> Order | None:
        """The customer's order of this number."""
        if not 1 <= number <= LARGEST_NUMBER:
            return None
        path = f"/api/orders/by-number/{number}"
        body = await ask(self._http, "GET", path, absent=[404], headers=_bearer(token))
        return None if body is None else read(Order, body)

    async def ended(self, token: str, limit: int) -> list[Order]:
        """The customer's orders that have ended, the highest number first."""
        path, params = "/api/orders/by-number", {"limit": limit}
        return read(_Orders, await ask(self._http, "GET", path, params=params, headers=_bearer(token))).items

    async def cancel(self, token: str, order_id: UUID) -> None:
        """Ask for it; the order shows whether it came in time."""
        path = f"/api/orders/{order_id}/cancellation"
        await ask(self._http, "POST", path, good=202, absent=[409], idempotent=True, headers=_bearer(token))


def _lines(wishes: Sequence[Wish]) -> list[dict[str, Any]]:
    return [{"isbn": isbn, "quantity": quantity} for isbn, quantity in wishes]


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}

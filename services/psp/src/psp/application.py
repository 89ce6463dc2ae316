"""The use cases of the card processor. An idempotency key stands for one request, for ever and under concurrency."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from chassis.idempotency import KeyReused
from psp.domain import Charge, ChargeNotFound, ChargeRequest, OutOfService, Refund, card_of


class UnitOfWork(Protocol):
    """One transaction."""

    async def lock(self, charge_id: UUID) -> Charge | None: ...
    async def refund_by_key(self, key: str) -> Refund | None: ...
    async def add(self, refund: Refund) -> bool: ...
    async def save(self, charge: Charge) -> None: ...


class Ledger(Protocol):
    """Keeps charges; `add` and `first_refusal` are False where the key was there before."""

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]: ...
    async def add(self, charge: Charge) -> bool: ...
    async def first_refusal(self, key: str) -> bool: ...
    async def by_key(self, key: str) -> Charge | None: ...
    async def by_id(self, charge_id: UUID) -> Charge | None: ...


@dataclass(frozen=True)
class Charged:
    """A charge and how to answer: `replayed` if the key was used before, `answer_lost` if nobody is to hear of it."""

    charge: Charge
    replayed: bool
    answer_lost: bool


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Processor:
    """`sleep` is how a slow card takes its time."""

    def __init__(
        self,
        ledger: Ledger,
        new_id: Callable[[], UUID],
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ledger = ledger
        self._new_id = new_id
        self._clock = clock
        self._sleep = sleep

    async def charge(self, key: str, request: ChargeRequest) -> Charged:
        """Charge a card once for a key. Raises `UnknownCard`, `OutOfService`, `KeyReused`."""
        card = card_of(request.card_token)
        if card.out_of_service_once and await self._ledger.first_refusal(key):
            raise OutOfService("try again; nothing was stored")
        if card.delay:
            await self._sleep(card.delay)
        charge = Charge.decide(self._new_id(), key, request, self._clock())
        # The unique key decides who was first: to look before inserting would let two at once both find nothing.
        if await self._ledger.add(charge):
            return Charged(charge, replayed=False, answer_lost=card.loses_first_answer)
        known = await self.charge_by_key(key)
        if known.request != request:
            raise KeyReused("the key belongs to another charge; choose a new one")
        return Charged(known, replayed=True, answer_lost=False)

    async def refund(self, charge_id: UUID, key: str, amount: int) -> Refund:
        """Give money back once for a key. Raises `ChargeNotFound`, `RefundRefused`, `KeyReused`."""
        async with self._ledger.begin() as work:
            charge = await work.lock(charge_id)
            if charge is None:
                raise ChargeNotFound(f"there is no charge {charge_id}")
            known = await work.refund_by_key(key)
            if known is not None:
                return _same(known, charge_id, amount)
            refund = Refund(self._new_id(), charge_id, key, amount, self._clock())
            await work.save(charge.refund(amount))
            # The lock is on this charge: another one's refund may take the key meanwhile.
            if not await work.add(refund):
                raise KeyReused("the key belongs to another refund; choose a new one")
            return refund

    async def charge_by_key(self, key: str) -> Charge:
        """Raises `ChargeNotFound`."""
        return _found(await self._ledger.by_key(key), key)

    async def charge_by_id(self, charge_id: UUID) -> Charge:
        """Raises `ChargeNotFound`."""
        return _found(await self._ledger.by_id(charge_id), str(charge_id))


def _found(charge: Charge | None, name: str) -> Charge:
    if charge is None:
        raise ChargeNotFound(f"there is no charge {name}")
    return charge


def _same(known: Refund, charge_id: UUID, amount: int) -> Refund:
    if (known.charge_id, known.amount) != (charge_id, amount):
        raise KeyReused("the key belongs to another refund; choose a new one")
    return known

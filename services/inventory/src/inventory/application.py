"""Use cases of inventory: each loads, decides and commits; leaving `async with storage.begin(...)` commits."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from chassis.idempotency import Answer, Claim
from inventory.domain import Change, Event, Reservation, Stock, StockUnknown

log = structlog.get_logger(__name__)
SWEEP_BATCH = 100


class UnitOfWork(Protocol):
    """One transaction."""

    async def reservation(self, order_id: UUID) -> Reservation | None:
        """The order's reservation, locked until the end of the transaction."""

    async def due(self, now: datetime, limit: int) -> Sequence[Reservation]:
        """Held reservations that have expired, locked; those that somebody else has locked are left out."""

    async def lock_stock(self, isbns: Sequence[str]) -> Mapping[str, int]:
        """Available copies of the books that are known, locked in the order of their ISBNs."""

    async def save(self, *changes: Change) -> None:
        """Store the changes and move stock accordingly. Raises `ReservationAppeared`."""

    async def save_sold(self, reservation: Reservation) -> int:
        """Store the first reservation of an order that the old shop has confirmed, and take its copies.

        Returns how many of them there are not. Raises `ReservationAppeared`.
        """

    async def receive(self, isbn: str, quantity: int) -> Stock:
        """Add copies to a book's stock, which may be its first. Raises `StockFull`."""

    async def introduce(self, isbn: str, received: int, version: int) -> None:
        """Begin the stock of a book as the old shop knew it at its change `version`, unless there is one."""

    async def lock_baseline(self, isbn: str) -> int | None:
        """The change of the old shop with which the book's stock began (0: here), locked; None for unknown books."""

    async def adjust(self, isbn: str, quantity: int) -> None:
        """Add copies to the stock of a known book, or take some away. Raises `StockFull`."""

    async def complete(self, claim: Claim, answer: Answer) -> None: ...

    async def publish(self, *events: Event) -> None: ...


class Storage(Protocol):
    """`begin(handling=message_id)` raises `AlreadyHandled` for a message that took effect before."""

    def begin(self, handling: UUID | None = None) -> AbstractAsyncContextManager[UnitOfWork]: ...

    async def stocks(self, isbns: Sequence[str]) -> list[Stock]: ...


def utc_now() -> datetime:
    """The production clock."""
    return datetime.now(UTC)


class Inventory:
    """`reservation_time`: how long stock is held for an order that does not finish."""

    def __init__(self, storage: Storage, reservation_time: timedelta, clock: Callable[[], datetime] = utc_now) -> None:
        self._storage = storage
        self._reservation_time = reservation_time
        self._clock = clock

    async def reserve_stock(self, order_id: UUID, lines: Mapping[str, int], handling: UUID) -> None:
        """Hold all lines or none; answers `StockReserved` or `StockRefused`."""
        until = self._clock() + self._reservation_time
        async with self._storage.begin(handling) as unit:
            before = await unit.reservation(order_id)
            if before is None:
                after = Reservation.hold(order_id, lines, await unit.lock_stock(sorted(lines)), until)
            else:
                after = before.hold_again(await _available(unit, before), until)
            await unit.save(Change(before, after))
            await unit.publish(after.answer_to_reserve())
        _log(after)

    async def commit_stock(self, order_id: UUID, handling: UUID) -> None:
        """Let the stock leave for good; answers `StockCommitted` or `StockRefused`."""
        async with self._storage.begin(handling) as unit:
            before = await unit.reservation(order_id)
            if before is None:
                after = Reservation.never_held(order_id)
            else:
                after = before.commit(await _available(unit, before))
            await unit.save(Change(before, after))
            await unit.publish(after.answer_to_commit())
        _log(after)

    async def release_stock(self, order_id: UUID, handling: UUID) -> None:
        """Give held stock back; answers `StockReleased`. Raises `AlreadyCommitted`."""
        async with self._storage.begin(handling) as unit:
            before = await unit.reservation(order_id)
            after = Reservation.tombstone(order_id) if before is None else before.release()
            await unit.save(Change(before, after))
            await unit.publish(after.answer_to_release())
        _log(after)

    async def release_expired(self) -> int:
        """Release every reservation whose time is over, a batch a transaction; returns how many."""
        released = 0
        while True:
            batch = await self._release_batch()
            released += batch
            if batch < SWEEP_BATCH:
                return released

    async def _release_batch(self) -> int:
        async with self._storage.begin() as unit:
            due = await unit.due(self._clock(), SWEEP_BATCH)
            changes = [Change(reservation, reservation.expire()) for reservation in due]
            await unit.save(*changes)
            await unit.publish(*(change.after.answer_to_release() for change in changes))
        for change in changes:
            _log(change.after)
        return len(changes)

    async def receive_stock(self, isbn: str, quantity: int, claim: Claim, answer: Callable[[Stock], Answer]) -> Answer:
        """Book a delivery in, once for each claim. Raises `StockFull`."""
        async with self._storage.begin() as unit:
            given = answer(await unit.receive(isbn, quantity))
            await unit.complete(claim, given)
        return given

    async def read_stock(self, isbn: str) -> Stock:
        """Raises `StockUnknown`."""
        found = await self._storage.stocks([isbn])
        if not found:
            raise StockUnknown(f"no copy of {isbn} was ever received")
        return found[0]

    async def read_stocks(self, isbns: Sequence[str]) -> list[Stock]:
        """The stock of those books that are known, each once, in the order asked for."""
        found = {stock.isbn: stock for stock in await self._storage.stocks(isbns)}
        return [found[isbn] for isbn in dict.fromkeys(isbns) if isbn in found]

    async def introduce_legacy(self, isbn: str, received: int | None, version: int, handling: UUID) -> None:
        """Begin the stock of a book of the old shop. One that is known here already has moved since, and stays."""
        async with self._storage.begin(handling) as unit:
            if received is not None:
                await unit.introduce(isbn, received, version)

    async def sell_legacy(self, order_id: UUID, lines: Mapping[str, int], handling: UUID) -> int:
        """Take what the old shop has sold, there or not; returns how many copies are not. Raises `StockUnknown`.

        Nobody is answered: no saga of ours waits for it.
        """
        async with self._storage.begin(handling) as unit:
            if await unit.reservation(order_id) is not None:
                return 0
            known = await unit.lock_stock(sorted(lines))
            if missing := lines.keys() - known.keys():
                raise StockUnknown(f"no copy of {min(missing)} was ever received")
            sold = Reservation.sold_elsewhere(order_id, lines)
            owed = await unit.save_sold(sold)
        _log(sold)
        return owed

    async def receive_legacy(self, isbn: str, quantity: int, version: int, handling: UUID) -> None:
        """Add what came into the old shop's shelves, or was taken from them. Raises `StockUnknown`, `StockFull`.

        Deliveries add up, so no order among them matters: only whether the beginning of the stock held them already.
        """
        async with self._storage.begin(handling) as unit:
            baseline = await unit.lock_baseline(isbn)
            if baseline is None:
                raise StockUnknown(f"no copy of {isbn} was ever received")
            if version > baseline:
                await unit.adjust(isbn, quantity)


def _log(reservation: Reservation) -> None:
    log.info(f"reservation.{reservation.state}", order_id=str(reservation.order_id), reason=reservation.reason)


async def _available(unit: UnitOfWork, reservation: Reservation) -> Mapping[str, int]:
    # Only an expired reservation must take its stock again; the others need no lock on it to be decided.
    return await unit.lock_stock(sorted(reservation.lines)) if reservation.expired else {}

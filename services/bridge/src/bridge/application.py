"""The use cases of the way back: what the new shop has done appears in the old shop's tables."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from bridge.domain import CONFIRMED, ProductUnknown, ShopBook, ShopOrder


class UnitOfWork(Protocol):
    """One transaction on the old shop's tables, marked as the new shop's."""

    async def product_numbers(self, isbns: Sequence[str]) -> dict[str, int]: ...
    async def add_order(self, order: ShopOrder, numbers: dict[str, int]) -> bool: ...
    async def take(self, number: int, quantity: int) -> int: ...
    async def is_newest(self, book: ShopBook) -> bool: ...
    async def lock_book(self, isbn: str) -> int | None: ...
    async def told_since(self, number: int, version: int) -> bool: ...
    async def revise(self, number: int, book: ShopBook) -> None: ...
    async def add_book(self, book: ShopBook) -> None: ...


class Storage(Protocol):
    """`handling`: the message whose effect the transaction is."""

    def begin(self, handling: UUID) -> AbstractAsyncContextManager[UnitOfWork]: ...


class WriteBack:
    """Each raises `AlreadyHandled` when the message took effect before."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def order_ended(self, order: ShopOrder, handling: UUID) -> int:
        """Store an order of the new shop's and take its books from the old shelves; returns how many were not there.

        The customer has paid: a shelf that cannot know of the sale in time goes below nothing. Raises `ProductUnknown`.
        """
        missing = 0
        async with self._storage.begin(handling) as work:
            numbers = await work.product_numbers([line.isbn for line in order.lines])
            if unknown := [line.isbn for line in order.lines if line.isbn not in numbers]:
                raise ProductUnknown(f"no product {', '.join(unknown)}")
            if await work.add_order(order, numbers) and order.status == CONFIRMED:
                # By number, as the old shop's checkout does: two that want the same books do not lock each other out.
                for line in sorted(order.lines, key=lambda line: numbers[line.isbn]):
                    left = await work.take(numbers[line.isbn], line.quantity)
                    missing += min(line.quantity, max(0, -left))
        return missing

    async def book_changed(self, book: ShopBook, handling: UUID) -> bool:
        """Give the old shop the catalogue's content; False where that is old already.

        Of two changes at once the old shop's stays, on both sides: if its row was told with a later version than the
        catalogue had heard, the catalogue takes that over this one as soon as it hears it.
        """
        async with self._storage.begin(handling) as work:
            if not await work.is_newest(book):
                return False
            number = await work.lock_book(book.isbn)
            if number is None:
                await work.add_book(book)
            elif await work.told_since(number, book.legacy_version):
                return False
            else:
                await work.revise(number, book)
        return True

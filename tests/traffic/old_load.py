"""Customers of the old shop for `steady`: a mix of pages and old API, each request sent once."""

import asyncio
import random
import time
from collections.abc import Sequence

from tests.traffic.old_shop import Customer, OldShop, Refused
from tests.traffic.old_visits import Lost, Product, Visits, new_customer, products_of
from tests.traffic.record import Record

CUSTOMERS = 48  # so many that nobody's list of orders is full before some minutes have passed
# Of fifty visits. A purchase in a browser is four requests, a login two.
MIX = {
    "browse": 7,
    "product": 7,
    "search": 5,
    "front page": 4,
    "search page": 4,
    "book page": 5,
    "orders": 4,
    "order": 4,
    "buy": 4,
    "buy in a browser": 2,
    "orders page": 2,
    "log in": 1,
    "register": 1,
}


class OldLoad:
    """Makes the visits of the mix; the shop's client has told `record` of each of their requests."""

    def __init__(self, visits: Visits, customers: Sequence[Customer], record: Record) -> None:
        self._visits = visits
        self._customers = customers
        self._record = record

    @classmethod
    async def begin(cls, shop: OldShop, record: Record) -> "OldLoad":
        """Customers with an account, a session and an order; raises `Refused`."""
        products: list[Product] = await products_of(shop)
        visits = Visits(shop, products, random.Random(0))
        customers = [new_customer(f"old-{number}") for number in range(CUSTOMERS)]
        await asyncio.gather(*(visits.begin(customer) for customer in customers))
        return cls(visits, customers, record)

    def operations(self) -> list[str]:
        """One round of the mix, shuffled the same way in every run."""
        mixed = [name for name, share in MIX.items() for _ in range(share)]
        random.Random(0).shuffle(mixed)
        return mixed

    async def one(self, operation: str, number: int) -> None:
        """One visit; what went wrong in it is recorded already."""
        try:
            await self._visits.kinds[operation](self._customers[number % len(self._customers)])
        except Refused:
            return
        except Lost as error:
            self._record.failed(operation, time.time(), "lost", str(error))

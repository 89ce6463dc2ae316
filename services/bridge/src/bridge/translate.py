"""From what is to be told to the messages that tell it: reads the orders as wholes, gives rows their UUIDs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bridge import observe
from bridge.domain import BookTold, CustomerTold, LegacyOrder, OrderTold, StockTold, Told, legacy_id
from bridge.messaging import Outgoing, outgoing
from bridge.sealing import Sealer
from bridge.storage import legacy

log = structlog.get_logger(__name__)


class Translator:
    """Stateless; what it reads, it reads through the caller's connection."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    async def messages(self, connection: AsyncConnection, told: Sequence[tuple[Told, datetime]]) -> list[Outgoing]:
        """The messages, in the same order. An order that is gone, or in a status without a word, has none."""
        numbers = sorted({each.number for each, _ in told if isinstance(each, OrderTold)})
        orders = {order.number: order for order in await legacy.load_orders(connection, numbers)} if numbers else {}
        customers = await legacy.linked(connection, "customer", _customers(told, orders.values()))
        order_ids = await legacy.linked(
            connection, "order", {o.number: legacy_id("order", o.number, o.placed_at) for o in orders.values()}
        )
        return [
            outgoing(each, *found, at)
            for each, at in told
            if (found := self._found(each, orders, order_ids, customers)) is not None
        ]

    def _found(
        self,
        told: Told,
        orders: Mapping[int, LegacyOrder],
        order_ids: Mapping[int, UUID],
        customers: Mapping[int, UUID],
    ) -> tuple[str, Mapping[str, Any]] | None:
        if isinstance(told, BookTold | StockTold):
            return told.isbn, told.data()
        if isinstance(told, CustomerTold):
            id = customers[told.number]
            return str(id), told.data(id, self._sealer.seal(told.secret))
        order = orders.get(told.number)
        if order is None or not order.ended:
            observe.UNTOLD.inc()
            log.warning("order.untold", number=told.number, status=order.status if order else None)
            return None
        id = order_ids[order.number]
        return str(id), order.data(id, customers[order.customer], told.version)


def _customers(told: Sequence[tuple[Told, datetime]], orders: Any) -> dict[int, UUID]:
    """Derived UUIDs of everybody who is named, by number."""
    since = {order.customer: order.customer_since for order in orders}
    since |= {each.number: each.registered_at for each, _ in told if isinstance(each, CustomerTold)}
    return {number: legacy_id("customer", number, created) for number, created in since.items()}

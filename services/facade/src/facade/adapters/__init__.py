"""The anti-corruption layer: the old shop's contract over the new services, a module a capability.

Each adapter is an `Upstream`. Nothing of the old shop's ways is known beyond this folder, and nothing of the new
services' models within the old contract.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from facade.adapters.accounts import AccountsAdapter
from facade.adapters.catalog import CatalogAdapter, Shelves
from facade.adapters.checkout import Checkout
from facade.adapters.credentials import Customers, OldShop
from facade.adapters.elsewhere import ElsewhereAdapter
from facade.adapters.orders import OrdersAdapter
from facade.adapters.pages import Pages
from facade.adapters.quotes import OrderQuotes
from facade.adapters.session import Sessions
from facade.ports import Placed, Quotes, SeededBug, Upstream
from facade.routing import Area
from facade.shop_clients import ShopClients

__all__ = ["Adapters", "adapt"]


@dataclass(frozen=True)
class Adapters:
    """The new side in the old contract: who answers which area, and what becomes of an order in the dry run."""

    areas: Mapping[Area, Upstream]
    quotes: Quotes


def adapt(
    shop: ShopClients,
    sessions: Sessions,
    *,
    legacy: Upstream,
    old_shop: OldShop,
    placed: Placed,
    seeded: SeededBug,
    mirror: bool = False,
) -> Adapters:
    """All adapters over one set of clients.

    `old_shop` says whom to ask about customers who have not come over yet, None once it has retired; `legacy` shows the
    mirror the orders that were bought on a page. In the `mirror` no password is shown to identity.
    """
    pages = Pages(sessions)
    customers = Customers(shop.identity, old_shop, logs_in=not mirror)
    checkout = Checkout(shop, placed)
    areas: dict[Area, Upstream] = {
        Area.CATALOG: CatalogAdapter(Shelves(shop.catalog, shop.inventory, seeded), pages),
        Area.ORDERS: OrdersAdapter(shop, customers, checkout, pages),
        Area.ACCOUNTS: AccountsAdapter(shop.identity, customers, pages),
        Area.OTHER: ElsewhereAdapter(),
    }
    return Adapters(areas, OrderQuotes(shop, customers, checkout, sessions, legacy))

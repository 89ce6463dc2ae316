"""The new services, as the adapters see them: HTTP out, one class a service."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from chassis.breaker import Breaker
from chassis.http_client import HttpClient
from chassis.retries import RetryPolicy
from chassis.shared_key import SharedKey
from facade.shop_clients.books import CatalogClient, InventoryClient
from facade.shop_clients.identity import IdentityClient
from facade.shop_clients.orders import OrdersClient

TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True)
class Addresses:
    """Where the services are."""

    catalog: str
    inventory: str
    orders: str
    identity: str


@dataclass(frozen=True)
class ShopClients:
    """All of them; `parts` are started and stopped with the process."""

    catalog: CatalogClient
    inventory: InventoryClient
    orders: OrdersClient
    identity: IdentityClient
    parts: Sequence[HttpClient]


def connect(
    addresses: Addresses,
    exchange_key: SharedKey,
    *,
    purpose: str = "",
    timeout: float = TIMEOUT_SECONDS,
    transport: httpx.AsyncBaseTransport | None = None,
) -> ShopClients:
    """Clients with pools and breakers of their own, so that the mirror and the customers do not feel each other.

    `purpose` tells their breakers apart; `timeout` is in seconds, for each call; `transport` is a seam for tests.
    """

    def client(service: str, address: str) -> HttpClient:
        breaker = Breaker(f"{purpose}-{service}" if purpose else service)
        return HttpClient(
            service, address, timeout=timeout, breaker=breaker, retries=RetryPolicy(attempts=2), transport=transport
        )

    catalog = client("catalog", addresses.catalog)
    inventory = client("inventory", addresses.inventory)
    orders = client("orders", addresses.orders)
    identity = client("identity", addresses.identity)
    return ShopClients(
        CatalogClient(catalog),
        InventoryClient(inventory),
        OrdersClient(orders),
        IdentityClient(identity, exchange_key),
        [catalog, inventory, orders, identity],
    )

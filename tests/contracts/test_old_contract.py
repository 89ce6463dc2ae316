"""What the facade's adapters ask of the new services, asked of them: a fake may be as wrong as its maker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from catalog.main import create_app as create_catalog
from catalog.settings import Settings as CatalogSettings
from chassis.auth import TokenVerifier
from chassis.http_client import HttpClient
from chassis.settings import IssuerSettings, ServiceSettings
from chassis.shared_key import SharedKey
from facade.shop_clients import Addresses, ShopClients, connect
from facade.shop_clients.identity import EmailKnown, Profile, Registration, RegistrationRefused
from identity.main import create_app as create_identity
from identity.settings import Settings as IdentitySettings
from inventory.main import create_app as create_inventory
from inventory.settings import Settings as InventorySettings
from orders.clients import HttpCatalog
from orders.main import create_app as create_orders
from orders.settings import Settings as OrdersSettings

EXCHANGE_KEY = "an exchange key of the tests"
KEY = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
OPERATOR = {"email": "operator@banyan.example", "password": "a long operator password"}
ANN = Registration("key-of-ann", "ann@example.com", "Ann", "correct horse")
EMMA, UTOPIA, NOBODYS = "9799001000010", "9799001000027", "9799001000034"
Settings = Callable[..., Any]


class Network(httpx.AsyncBaseTransport):
    """Leads each call to the application of that host."""

    def __init__(self) -> None:
        self.applications: dict[str, httpx.ASGITransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.applications[request.url.host].handle_async_request(request)


@dataclass
class Services:
    """The four services as they run, and the facade's clients to them."""

    network: Network
    clients: ShopClients

    async def call(self, method: str, url: str, **request: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=self.network) as client:
            answer = await client.request(method, url, **request)
        assert answer.is_success, answer.text
        return answer

    async def token(self, login: Mapping[str, str]) -> str:
        return str((await self.call("POST", "http://identity/api/identity/tokens", json=login)).json()["access_token"])

    async def stock_up(self, isbn: str, title: str, amount: int, copies: int) -> None:
        operator = {"Authorization": f"Bearer {await self.token(OPERATOR)}"}
        price = {"amount": amount, "currency": "EUR"}
        described = {"title": title, "author": "A. Writer", "year": 1815, "price": price}
        address = f"http://catalog/api/catalog/books/{isbn}"
        await self.call("PUT", address, json=described, headers={**operator, "If-None-Match": "*"})
        address = f"http://inventory/api/inventory/stock/{isbn}/receipts"
        keyed = {**operator, "Idempotency-Key": str(uuid4())}
        await self.call("POST", address, json={"quantity": copies}, headers=keyed)

    async def ann(self) -> str:
        await self.clients.identity.register(ANN, None)
        token = await self.clients.identity.log_in(ANN.email, ANN.password, "203.0.113.9")
        assert token is not None
        return token.access_token


async def ready(network: Network, name: str) -> None:
    """Poll until it may take traffic; identity has its operator then."""
    async with asyncio.timeout(30), httpx.AsyncClient(transport=network) as client:
        while not (await client.get(f"http://{name}/readyz")).is_success:
            await asyncio.sleep(0.05)


@pytest.fixture
def settings(nats_server: Any) -> Settings:
    def make(kind: type[ServiceSettings], database: Any, **more: Any) -> ServiceSettings:
        values = {
            "port": 0,
            "database_url": database.url,
            "database_password": database.password,
            "nats_url": nats_server.url,
            "nats_user": nats_server.user,
            "nats_password": nats_server.password,
            **({} if kind is IdentitySettings else {"jwks_url": "http://127.0.0.1:1/unused"}),
            **more,
        }
        return kind.model_validate(values)

    return make


@pytest.fixture
async def services(make_database: Any, settings: Settings) -> AsyncIterator[Services]:
    network = Network()

    async def keys() -> Any:
        async with httpx.AsyncClient(transport=network) as client:
            return (await client.get("http://identity/api/identity/jwks.json")).json()

    verifier = TokenVerifier(keys, IssuerSettings())
    prices = HttpClient("catalog", "http://catalog", timeout=3, transport=network)
    shared = {"key_encryption_key": KEY, "hash_key": KEY, "exchange_key": EXCHANGE_KEY}
    operator = {f"operator_{name}": value for name, value in OPERATOR.items()}
    databases = {name: await make_database(name) for name in ("identity", "catalog", "inventory", "orders")}
    made = {
        "identity": create_identity(settings(IdentitySettings, databases["identity"], **shared, **operator)),
        "catalog": create_catalog(settings(CatalogSettings, databases["catalog"]), verifier=verifier),
        "inventory": create_inventory(settings(InventorySettings, databases["inventory"]), verifier=verifier),
        "orders": create_orders(
            settings(OrdersSettings, databases["orders"], catalog_url="http://catalog"),
            catalog=HttpCatalog(prices),
            verifier=verifier,
        ),
    }
    addresses = Addresses("http://catalog", "http://inventory", "http://orders", "http://identity")
    clients = connect(addresses, SharedKey(lambda: EXCHANGE_KEY), transport=network)
    async with AsyncExitStack() as stack:
        for name, (app, lifecycle) in made.items():
            await stack.enter_async_context(lifecycle.lifespan(app))
            network.applications[name] = httpx.ASGITransport(app, raise_app_exceptions=False)
            await ready(network, name)
        for part in (prices, *clients.parts):
            await part.start()
            stack.push_async_callback(part.stop)
        yield Services(network, clients)


async def test_books_have_numbers_and_numbers_books(services: Services) -> None:
    await services.stock_up(EMMA, "Emma: 100 %", 1299, 3)
    await services.stock_up(UTOPIA, "Utopia", 899, 5)
    catalog, inventory = services.clients.catalog, services.clients.inventory
    page = await catalog.page(0, 1, "")
    (first,) = page.items
    assert (first.isbn, first.title, first.price, page.more) == (EMMA, "Emma: 100 %", 1299, True)
    assert [book.isbn for book in (await catalog.page(first.number, 100, "")).items] == [UTOPIA]
    assert [book.isbn for book in (await catalog.page(0, 20, "100 %")).items] == [EMMA]
    assert (await catalog.page(0, 20, "x" * 100)).items == []
    assert await catalog.books([first.number, 2**63 - 1, 2**63, 0]) == {first.number: first}
    names = await catalog.names([UTOPIA, EMMA, NOBODYS])
    assert {name.isbn: name.number for name in names.values()} == {EMMA: first.number, UTOPIA: first.number + 1}
    assert await inventory.available([EMMA, UTOPIA, NOBODYS]) == {EMMA: 3, UTOPIA: 5}


async def test_an_order_is_placed_once_read_listed_and_cancelled(services: Services) -> None:
    await services.stock_up(EMMA, "Emma", 1299, 3)
    orders, token = services.clients.orders, await services.ann()
    quote = await orders.quote(token, [(EMMA, 2)])
    assert quote is not None
    placed = await orders.place(token, "a-key", [(EMMA, 2)], "tok_ok")
    assert (placed.state, placed.total, placed.lines) == ("pending", 2598, quote.lines)
    assert (await orders.place(token, "a-key", [(EMMA, 2)], "tok_ok")).id == placed.id
    assert await orders.quote(token, [(NOBODYS, 1)]) is None
    await orders.cancel(token, placed.id)
    assert (await orders.order(token, placed.id)).state in ("cancelling", "cancelled")
    found = await orders.numbered(token, placed.number)
    assert found is not None
    assert found.id == placed.id
    assert await orders.numbered(token, 1) is None
    assert {order.id for order in await orders.ended(token, 50)} <= {placed.id}


async def test_customers_register_log_in_and_are_exchanged(services: Services) -> None:
    identity, token = services.clients.identity, await services.ann()
    profile = await identity.profile(token)
    assert profile == Profile(profile.number, ANN.email, ANN.name)
    exchanged = await identity.exchange(profile.number)
    assert exchanged is not None
    assert await identity.profile(exchanged.access_token) == profile
    assert exchanged.expires_in > 0
    assert await identity.exchange(profile.number + 1) is None
    assert await identity.log_in(ANN.email, "wrong", None) is None
    assert await identity.log_in("no address", "wrong", None) is None
    with pytest.raises(EmailKnown):
        await identity.register(Registration("another", ANN.email, "Ann", "correct horse"), None)
    with pytest.raises(RegistrationRefused):
        await identity.register(Registration("a-third", "bob@example.com", "Bob", "short"), None)

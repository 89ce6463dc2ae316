"""Who a customer is to the new side: tokens, how long they are kept, and customers who have not come over yet."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import httpx
import pytest
from pydantic import SecretStr

from chassis.http_client import HttpClient
from facade import sides
from facade.adapters.credentials import IMPORT_SECONDS, MARGIN_SECONDS, Customers
from facade.adapters.errors import LoginFailed
from facade.adapters.session import Sessions
from facade.domain import Capability
from facade.legacy_http import LegacyRequest, LegacyResponse
from facade.ports import CannotAnswer, Upstream
from facade.settings import Settings
from facade.shop_clients import ShopClients, connect
from facade.stages import StandingsWatch
from services.facade.tests.adapters.both_shops import SESSION_KEY, body
from services.facade.tests.adapters.conftest import PASSWORD
from services.facade.tests.adapters.new_shop import EXCHANGE_KEY, Account, NewShop
from services.facade.tests.replicas import FakeWatch

LOGINS, EXCHANGES = "/api/identity/tokens", "/api/identity/exchanges"


@dataclass
class Time:
    """Passes when somebody sleeps; `wakes` is called each time."""

    seconds: float = 1000.0
    wakes: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.wakes()


@dataclass
class Known:
    """An old shop that knows Ann, under number 1."""

    asked: list[LegacyRequest] = field(default_factory=list)
    broken: bool = False

    async def answer(self, request: LegacyRequest) -> LegacyResponse:
        self.asked.append(request)
        if self.broken:
            raise CannotAnswer("the old shop is down")
        known = request.header("authorization") == basic("ann@example.com", PASSWORD).header("authorization")
        good, bad = b'{"ok": 1, "customer": {"id": 1}}', b'{"ok": 0, "error": "login failed"}'
        return LegacyResponse(200, (), good if known else bad)


def basic(email: str, password: str, *headers: tuple[str, str]) -> LegacyRequest:
    sent = b64encode(f"{email}:{password}".encode()).decode()
    return LegacyRequest("GET", "/legacy/api/orders", headers=(("Authorization", f"Basic {sent}"), *headers))


@pytest.fixture
def ann(shop: NewShop) -> Account:
    return Account(1, "ann@example.com", "Ann", PASSWORD)


@pytest.fixture
def passing() -> Time:
    return Time()


@pytest.fixture
def old_shop() -> Known:
    return Known()


@pytest.fixture
def customers(clients: ShopClients, passing: Time, old_shop: Known) -> Customers:
    def ask() -> Upstream:
        return old_shop

    return Customers(clients.identity, ask, clock=passing, sleep=passing.sleep, size=3)


async def test_a_token_is_asked_for_once_and_again_before_it_ends(
    shop: NewShop, customers: Customers, ann: Account, passing: Time
) -> None:
    shop.accounts.append(ann)
    for _ in range(3):
        assert await customers.named(basic(" Ann@Example.com", PASSWORD)) == "token-of-1"
        assert await customers.numbered(1) == "token-of-1"
    assert (len(shop.calls("POST", LOGINS)), len(shop.calls("POST", EXCHANGES))) == (1, 1)
    passing.seconds += shop.expires_in - MARGIN_SECONDS
    await customers.named(basic("ann@example.com", PASSWORD))
    await customers.numbered(1)
    assert (len(shop.calls("POST", LOGINS)), len(shop.calls("POST", EXCHANGES))) == (2, 2)


async def test_a_right_password_does_not_let_a_wrong_one_in(shop: NewShop, customers: Customers, ann: Account) -> None:
    shop.accounts.append(ann)
    await customers.named(basic("ann@example.com", PASSWORD))
    with pytest.raises(LoginFailed):
        await customers.named(basic("ann@example.com", PASSWORD + "r"))


async def test_no_more_tokens_are_kept_than_there_is_room_for(shop: NewShop, customers: Customers) -> None:
    for number in range(1, 6):
        shop.accounts.append(Account(number, f"{number}@example.com", "N", PASSWORD))
        await customers.numbered(number)
    asked = len(shop.calls("POST", EXCHANGES))
    await customers.numbered(5)
    assert len(shop.calls("POST", EXCHANGES)) == asked
    await customers.numbered(1)
    assert len(shop.calls("POST", EXCHANGES)) == asked + 1


async def test_whoever_has_just_registered_in_the_old_shop_is_waited_for(
    shop: NewShop, customers: Customers, ann: Account, passing: Time
) -> None:
    passing.wakes = lambda: shop.accounts.append(ann)
    assert await customers.named(basic("ann@example.com", PASSWORD)) == "token-of-1"
    assert len(shop.calls("POST", LOGINS)) == 1, "each more would count as a failed login"


async def test_a_session_of_a_customer_on_the_way_is_waited_for_but_not_for_ever(
    customers: Customers, passing: Time
) -> None:
    began = passing.seconds
    with pytest.raises(CannotAnswer):
        await customers.numbered(1)
    assert IMPORT_SECONDS <= passing.seconds - began < IMPORT_SECONDS + 1


async def test_whom_identity_does_not_listen_to_now_is_not_let_in_by_the_old_shop(
    shop: NewShop, customers: Customers, ann: Account, old_shop: Known
) -> None:
    """It counts no failures: whoever guesses passwords would go on there."""
    shop.accounts.append(ann)
    shop.throttled = True
    with pytest.raises(LoginFailed):
        await customers.named(basic("ann@example.com", PASSWORD))
    assert (old_shop.asked, shop.calls("POST", EXCHANGES)) == ([], [])


async def test_the_mirror_shows_no_password_to_identity(
    shop: NewShop, ann: Account, old_shop: Known, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """Each wrong one would count twice as a failed login of a real customer."""
    shop.accounts.append(ann)
    monkeypatch.setattr(sides, "connect", partial(connect, transport=httpx.MockTransport(shop)))
    monkeypatch.setattr(sides, "LegacyClient", lambda *_, **__: old_shop)
    watch = cast("StandingsWatch", FakeWatch(1))
    settings = settings.model_copy(update={"exchange_key": SecretStr(EXCHANGE_KEY)})
    both = sides.connected(settings, Sessions(SESSION_KEY), watch, sides.NothingPlaced())
    for part in both.parts:
        if isinstance(part, HttpClient):
            await part.start()
    orders = both.mirror.modern[Capability.ORDERS]
    assert body(await orders.answer(basic("ann@example.com", PASSWORD))) == {"ok": 1, "orders": []}
    assert body(await orders.answer(basic("ann@example.com", "wrong")))["error"] == "login failed"
    assert (len(old_shop.asked), shop.calls("POST", LOGINS)) == (2, [])
    old_shop.broken = True
    with pytest.raises(CannotAnswer):
        await orders.answer(basic("ann@example.com", "unknown"))


@pytest.mark.parametrize(("email", "password"), [("ann@example.com", "x"), ("", PASSWORD), ("a\0b", PASSWORD)])
async def test_a_login_that_neither_knows_has_failed(customers: Customers, email: str, password: str) -> None:
    with pytest.raises(LoginFailed):
        await customers.named(basic(email, password))


async def test_a_login_fails_while_the_old_shop_cannot_say_otherwise(customers: Customers, old_shop: Known) -> None:
    old_shop.broken = True
    with pytest.raises(LoginFailed):
        await customers.named(basic("ann@example.com", PASSWORD))


async def test_a_retired_old_shop_is_not_asked(clients: ShopClients, passing: Time) -> None:
    customers = Customers(clients.identity, lambda: None, clock=passing, sleep=passing.sleep)
    with pytest.raises(LoginFailed):
        await customers.named(basic("ann@example.com", PASSWORD))


async def test_failed_logins_count_against_the_customers_own_address(shop: NewShop, customers: Customers) -> None:
    for sent in ("203.0.113.9, 10.0.0.7", "198.51.100.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"):
        with pytest.raises(LoginFailed):
            await customers.named(basic("ann@example.com", "wrong", ("X-Forwarded-For", sent)))
    assert {each.headers["X-Forwarded-For"] for each in shop.calls("POST", LOGINS)} == {"203.0.113.9"}


async def test_identity_that_is_down_is_no_failed_login(shop: NewShop, customers: Customers) -> None:
    shop.down.add("identity")
    with pytest.raises(CannotAnswer):
        await customers.named(basic("ann@example.com", PASSWORD))

"""The routing table: the longest prefix wins, where a segment ends."""

from dataclasses import replace

import pytest

from gateway.routes import ROUTES, Access, Rate, Retry, Route, Router

ROUTER = Router(ROUTES)
OLD_SHOP = {"/legacy", "/legacy/login", "/legacy/register", "/legacy/api/register", "/legacy/api/me"}


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        (b"/api/catalog", "/api/catalog"),
        (b"/api/catalog/books/1", "/api/catalog"),
        (b"/api/identity/keys", "/api/identity/keys"),
        (b"/api/identity/keys/1", "/api/identity/keys"),
        (b"/api/identity/keysmith", "/api/identity"),
        (b"/api/identity/me", "/api/identity"),
        (b"/legacy/", "/legacy"),
        (b"/legacy/api/orders/7", "/legacy"),
        (b"/api/migration/capabilities", "/api/migration"),
    ],
)
def test_the_longest_prefix_wins(path: bytes, prefix: str) -> None:
    route = ROUTER.find(path)
    assert route is not None
    assert route.prefix == prefix


@pytest.mark.parametrize(
    "path", [b"/api/catalogue", b"/api", b"/", b"/v1/charges", b"/openapi.json", b"/legacyish", b"/api/bridge"]
)
def test_what_no_row_covers_does_not_exist(path: bytes) -> None:
    assert ROUTER.find(path) is None


def test_a_table_with_the_same_prefix_twice_is_refused() -> None:
    row = Route("/a", "x", 1, Access.PUBLIC, Access.PUBLIC, Retry.SAFE, Rate.READ)
    with pytest.raises(ValueError, match="same prefix"):
        Router([row, row])


def test_only_registration_login_reading_and_what_has_its_own_login_are_open_to_everybody() -> None:
    open_for_writing = {route.prefix for route in ROUTES if route.write is Access.PUBLIC}
    assert open_for_writing == {"/api/identity/customers", "/api/identity/tokens", *OLD_SHOP}
    assert {route.prefix for route in ROUTES if route.own_login} == OLD_SHOP


@pytest.mark.parametrize("path", [b"/legacy/login", b"/legacy/register", b"/legacy/api/register", b"/legacy/api/me"])
def test_logins_of_the_old_shop_are_limited_like_all_others(path: bytes) -> None:
    route, row = ROUTER.find(path), ROUTER.find(b"/legacy/")
    assert route is not None
    assert row is not None
    assert (row.rate, route.rate) == (Rate.READ, Rate.CREDENTIALS)
    assert route == replace(row, prefix=path.decode(), rate=Rate.CREDENTIALS)


def test_only_operators_move_the_migration() -> None:
    route = ROUTER.find(b"/api/migration/capabilities/catalog/stage")
    assert route is not None
    assert (route.read, route.write) == (Access.OPERATOR, Access.OPERATOR)


def test_a_write_to_the_old_shop_is_never_sent_twice() -> None:
    route = ROUTER.find(b"/legacy/checkout")
    assert route is not None
    assert route.retry is Retry.SAFE

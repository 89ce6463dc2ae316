"""Which part of the old shop an address belongs to; no spelling of it hides a write."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facade.domain import Capability
from facade.routing import ELSEWHERE, Area, Place, find


@pytest.mark.parametrize(
    ("path", "area"),
    [
        ("/legacy/", "catalog"),
        ("/legacy/search", "catalog"),
        ("/legacy/book/12", "catalog"),
        ("/legacy/api/products", "catalog"),
        ("/legacy/api/products/12", "catalog"),
        ("/legacy/basket", "orders"),
        ("/legacy/checkout", "orders"),
        ("/legacy/orders", "orders"),
        ("/legacy/orders/7", "orders"),
        ("/legacy/api/orders", "orders"),
        ("/legacy/api/orders/7", "orders"),
        ("/legacy/login", "accounts"),
        ("/legacy/logout", "accounts"),
        ("/legacy/register", "accounts"),
        ("/legacy/api/me", "accounts"),
        ("/legacy/api/register", "accounts"),
        ("/legacy", "other"),
        ("/legacy/basket/", "other"),
        ("/legacy/book/emma", "other"),
        ("/legacy/book/", "other"),
        ("/legacy/orders/7/items", "other"),
        ("/legacy/api/orders/../orders", "other"),
    ],
)
def test_each_address_belongs_somewhere(path: str, area: str) -> None:
    assert find("GET", path).area == area


def test_an_area_moves_with_its_capability_or_with_both() -> None:
    assert Area.CATALOG.capability is Capability.CATALOG
    assert Area.ORDERS.capability is Capability.ORDERS
    assert Area.ACCOUNTS.capability is Area.OTHER.capability is None


@pytest.mark.parametrize("path", ["/legacy/checkout", "/legacy/api/orders"])
def test_only_an_order_is_a_write(path: str) -> None:
    assert find("POST", path).write
    assert find("PUT", path).write
    assert not find("GET", path).write
    assert not find("HEAD", path).write
    assert not find("POST", "/legacy/basket").write


@settings(database=None, deadline=None)
@given(st.sampled_from(["/legacy/checkout", "/legacy/api/orders"]), st.data())
def test_a_write_is_known_however_its_address_is_spelled(path: str, data: st.DataObject) -> None:
    spelled = "".join(
        data.draw(st.sampled_from([letter, f"%{ord(letter):02x}", f"%{ord(letter):02X}"])) for letter in path
    )
    assert find("POST", spelled).write


def test_metrics_see_few_paths() -> None:
    assert find("GET", "/legacy/book/12").path == find("GET", "/legacy/book/13").path == "/legacy/book/{id}"
    assert find("GET", "/legacy/wp-login.php") == ELSEWHERE == Place("/legacy/{elsewhere}", Area.OTHER)


@settings(database=None, deadline=None)
@given(st.text())
def test_any_path_is_placed(path: str) -> None:
    assert find("POST", path).write == (find("POST", path).path in ("/legacy/checkout", "/legacy/api/orders"))

"""The running shop as fixtures. `make system` starts one of its own and names it: BANYAN_URL, BANYAN_TARGET."""

from collections.abc import Iterator

import pytest

from deploy.local.programs import OPERATOR_EMAIL
from tests.system.shop import Caller, Shop, running_url
from tests.system.target import current

NO_SHOP = "BANYAN_URL is not set: `make system` starts a shop for these tests, or name one that runs"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the running shop."""
    for item in items:
        if "tests/system/" in item.path.as_posix():
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """The shop at BANYAN_URL."""
    url = running_url()
    if url is None:
        pytest.skip(NO_SHOP)
    shop = Shop(url, current())
    yield shop
    shop.close()


@pytest.fixture(scope="session")
def customer(shop: Shop) -> Caller:
    """A customer of this session."""
    return shop.register()


@pytest.fixture(scope="session")
def stranger(shop: Shop) -> Caller:
    """Another customer."""
    return shop.register()


@pytest.fixture(scope="session")
def operator(shop: Shop) -> Caller:
    """The operator whom identity has made at its start."""
    return shop.log_in(OPERATOR_EMAIL, shop.target.run_in("identity", "operator_password"))


@pytest.fixture(scope="session")
def isbns(shop: Shop) -> list[str]:
    """Books of the seeded catalogue, a few of them."""
    page = shop.client().get("/api/catalog/books", params={"limit": 20}).json()
    return [book["isbn"] for book in page["items"]]

"""The running shop of `make system TARGET=compose`; without containers there is nothing to see here."""

import os

import pytest

from tests.system.conftest import customer, isbns, operator, shop, stranger

__all__ = ["customer", "isbns", "operator", "shop", "stranger"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the shop in containers."""
    containers = os.environ.get("BANYAN_TARGET") == "compose"
    for item in items:
        if "tests/resilience/" in item.path.as_posix():
            item.add_marker(pytest.mark.system)
            if not containers:
                item.add_marker(pytest.mark.skip(reason="needs containers: make system TARGET=compose"))

"""The whole project restarted, and taken down and brought up again: everything is still there."""

from collections.abc import Callable
from typing import Any

import pytest

from deploy.compose import project
from tests.system.customers import assert_books_balance
from tests.system.shop import Caller, Shop, until


def _restart() -> None:
    project.compose("restart")


def _down_and_up() -> None:
    project.compose("down")
    assert project.containers("orders") == []
    project.compose("up", "--detach", "--wait", "--no-build")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stop_and_start", [_restart, _down_and_up], ids=["restart", "down and up"])
def test_a_restart_of_everything_keeps_what_was_there(
    shop: Shop, isbns: list[str], stop_and_start: Callable[[], None]
) -> None:
    reader = shop.register()
    path = reader.accepted([(isbns[0], 2)])
    before = _seen(shop, reader, path, isbns)
    stop_and_start()
    for name in project.RUNNING:
        project.container(name).wait_healthy()
    until(lambda: shop.book(isbns[0]).status_code == 200, "the shop does not open again")
    # The token of before counts still, for the keys are kept; and so does the password.
    assert _seen(shop, reader, path, isbns) == before
    again = shop.log_in(reader.email, reader.password, reader.id)
    assert again.final(again.accepted([(isbns[0], 1)]))["state"] == "confirmed"
    assert_books_balance(shop.target)


def _seen(shop: Shop, reader: Caller, path: str, isbns: list[str]) -> list[Any]:
    order = reader.final(path)
    payment = reader.http.get(f"/api/payments/{order['id']}").json()
    keys = shop.client().get("/api/identity/jwks.json").json()
    return [order, payment, keys, shop.book(isbns[0]).json(), len(shop.messages(order["id"]))]

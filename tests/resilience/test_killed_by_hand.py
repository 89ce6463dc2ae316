"""`docker kill`, after which the engine leaves it to whoever killed a container to start it again."""

import pytest

from deploy.compose import project
from tests.system.customers import assert_books_balance, customers
from tests.system.shop import Shop


@pytest.mark.timeout(300)
def test_containers_killed_one_after_the_other_lose_nothing(shop: Shop) -> None:
    with customers() as crowd:
        for name in shop.target.fragile:
            crowd.coming()
            container = project.container(name)
            container.kill()
            assert container.pid == 0
            container.start()
            container.wait_healthy()
        crowd.gone()
    assert_books_balance(shop.target)

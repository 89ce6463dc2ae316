"""Killed and restarted in mid-traffic: every order still ends, and the books balance."""

import pytest

from tests.system.customers import assert_books_balance, customers
from tests.system.shop import Shop


@pytest.mark.timeout(600)  # in a cluster a program takes longer to come back
def test_programs_that_crash_one_after_the_other_lose_nothing(shop: Shop) -> None:
    with customers() as crowd:
        for name in shop.target.fragile:
            crowd.coming()
            shop.target.crash(name)
        crowd.gone()
    assert_books_balance(shop.target)

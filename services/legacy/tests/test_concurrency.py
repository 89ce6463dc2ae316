"""Many customers at once: no book is sold twice, and nobody waits for ever."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask

from legacy.db import Pool
from services.legacy.tests.fakes import CardCompany, Partner, rows, stock, until


def partners(app: Flask, count: int) -> list[Partner]:
    found = [Partner(app) for _ in range(count)]
    for number, partner in enumerate(found):
        partner.register(f"customer-{number}@example.com")
    return found


def test_the_last_copies_are_sold_once_each(app: Flask, pool: Pool) -> None:
    with pool.connection() as db:
        db.execute("UPDATE products SET stock = 7 WHERE id = 12")
    with ThreadPoolExecutor(12) as threads:
        answers: list[Any] = list(threads.map(lambda partner: partner.order((12, 1)), partners(app, 12)))
    assert Counter(answer.get("error", "sold") for answer in answers) == {"sold": 7, "not enough stock of 12": 5}
    assert stock(pool, 12) == 0
    assert rows(pool, "SELECT count(*), sum(qty) FROM order_items") == [{"count": 7, "sum": 7}]


def test_two_who_buy_the_same_books_in_another_order_do_not_wait_for_each_other(app: Flask) -> None:
    one, two = partners(app, 2)
    books = [(number, 1) for number in range(1, 11)]

    def buy(partner: Partner, items: list[tuple[int, int]]) -> list[Any]:
        return [partner.order(*items)["ok"] for _ in range(15)]

    with ThreadPoolExecutor(2) as threads:
        forwards, backwards = threads.submit(buy, one, books), threads.submit(buy, two, books[::-1])
        assert forwards.result() + backwards.result() == [1] * 30


def test_an_order_is_seen_by_nobody_before_the_card_is_charged(
    app: Flask, pool: Pool, card_company: CardCompany
) -> None:
    (partner,) = partners(app, 1)
    before = stock(pool, 12)
    with ThreadPoolExecutor(1) as threads:
        order = threads.submit(partner.order, (12, 1), card="tok_held")
        until(lambda: len(card_company.asked) == 1)
        assert rows(pool, "SELECT 1 FROM orders") == []
        assert stock(pool, 12) == before
        card_company.go_on.set()
        assert order.result()["ok"] == 1

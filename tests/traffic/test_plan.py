"""The plan of a run."""

from collections import Counter

from tests.traffic.plan import GOOD_CARD, Duplicate, Title, arrivals, customers_for, make_plan

CATALOGUE = [Title(f"97990010{n:05}", f"Volume {n} of Many", f"Author {n}") for n in range(50)]


def test_the_same_seed_gives_the_same_plan_whatever_the_order_of_the_catalogue() -> None:
    assert make_plan(7, 300, CATALOGUE) == make_plan(7, 300, CATALOGUE[::-1])


def test_another_seed_gives_another_plan() -> None:
    assert make_plan(7, 300, CATALOGUE) != make_plan(8, 300, CATALOGUE)


def test_every_visit_has_its_own_number_and_orders_one_to_five_different_books() -> None:
    plan = make_plan(1, 400, CATALOGUE)
    assert sorted(visit.number for visit in plan) == list(range(400))
    for visit in plan:
        books = {isbn for isbn, _ in visit.lines}
        assert 1 <= len(books) == len(visit.lines) <= 5
        assert all(1 <= quantity <= 3 for _, quantity in visit.lines)


def test_customers_search_several_times_for_words_of_the_catalogue() -> None:
    known = {word for book in CATALOGUE for word in f"{book.title} {book.author}".split()}
    for visit in make_plan(1, 100, CATALOGUE):
        assert 2 <= len(visit.searches) <= 3
        assert set(visit.searches) <= known


def test_a_few_cards_decline_a_few_are_difficult_and_the_rest_pays() -> None:
    cards = Counter(visit.card for visit in make_plan(1, 5000, CATALOGUE))
    assert 0.045 < (cards["tok_declined"] + cards["tok_stolen"]) / 5000 < 0.075
    assert all(0.005 < cards[card] / 5000 < 0.02 for card in ("tok_answer_lost", "tok_slow", "tok_unavailable_once"))
    assert cards[GOOD_CARD] / 5000 > 0.88


def test_some_orders_are_sent_twice_and_some_are_cancelled() -> None:
    plan = make_plan(1, 5000, CATALOGUE)
    duplicates = Counter(visit.duplicate for visit in plan)
    assert duplicates[Duplicate.AFTER] > 50
    assert duplicates[Duplicate.MEANWHILE] > 50
    assert 0.035 < sum(visit.cancels for visit in plan) / 5000 < 0.065


def test_with_good_cards_only_every_order_should_be_confirmed() -> None:
    plan = make_plan(1, 500, CATALOGUE, only_good=True)
    assert {visit.card for visit in plan} == {GOOD_CARD}
    assert not any(visit.cancels or visit.duplicate is not Duplicate.NONE for visit in plan)


def test_there_are_at_least_eight_customers_and_twenty_orders_for_each_of_many() -> None:
    assert (customers_for(10), customers_for(2000)) == (8, 100)
    assert {visit.customer for visit in make_plan(1, 2000, CATALOGUE)} == set(range(100))


def test_arrivals_of_an_open_loop_come_at_the_rate_asked_for() -> None:
    times = arrivals(3, 3000, 15.0)
    assert times == sorted(times) == arrivals(3, 3000, 15.0)
    assert 14 < 3000 / times[-1] < 16

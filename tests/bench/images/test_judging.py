"""A bar is a bar on one's own machine; in CI a time is only told."""

from tests.bench.images.__main__ import judged
from tests.bench.images.measure import Weight
from tests.bench.images.report import REBUILD_BAR, SIZE_BAR

HEAVY = Weight("orders", SIZE_BAR + 1, 3, 10)
LIGHT = Weight("catalog", SIZE_BAR, 3, 10)
SLOW = {"catalog": REBUILD_BAR, "orders": REBUILD_BAR + 1}


def test_on_ones_own_machine_both_bars_count() -> None:
    missed, notes = judged([HEAVY, LIGHT], SLOW, {})
    assert [line.split()[0] for line in missed] == ["orders", "orders"]
    assert notes == []


def test_in_ci_a_time_is_only_told() -> None:
    assert judged([LIGHT], SLOW, {"CI": "true"}) == ([], ["orders took 6.0 s to be built again"])


def test_in_ci_a_size_still_counts() -> None:
    missed, _ = judged([HEAVY, LIGHT], SLOW, {"CI": "true"})
    assert missed == [f"orders has {SIZE_BAR + 1:,} bytes"]

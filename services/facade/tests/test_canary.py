"""A customer sees one side: the same at each request, and none flips back while the percentage rises."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from facade.canary import VISITOR, Visitors
from facade.domain import BUCKETS, Capability, Side, Stage, Standing, side
from facade.legacy_http import LegacyRequest, LegacyResponse


@dataclass(frozen=True)
class FakeSession:
    email: str | None = None


def open_session(request: LegacyRequest) -> FakeSession:
    cookie = request.header("cookie") or ""
    return FakeSession("Ann@example.org") if "shopsession=ann" in cookie else FakeSession()


def standing(percent: int, capability: Capability = Capability.CATALOG, generation: int = 1) -> Standing:
    return Standing(capability, Stage.CANARY, percent, False, generation, datetime.now(UTC))


def request(**headers: str) -> LegacyRequest:
    return LegacyRequest("GET", "/legacy/", headers=tuple(headers.items()))


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:secret".encode()).decode()


visitors = Visitors(open_session, lambda: "n" * 22)


def test_of_ten_thousand_customers_nobody_flips_back() -> None:
    customers = [f"customer:{number}@example.org" for number in range(5_000)]
    customers += [f"visitor-{number:012d}" for number in range(5_000)]
    before: set[str] = set()
    for percent in (0, 5, 25, 50, 100):
        now = {customer for customer in customers if side(standing(percent), customer) is Side.MODERN}
        assert before <= now
        assert abs(len(now) - percent * len(customers) / 100) <= 150
        before = now
    assert len(before) == len(customers)


@settings(database=None, deadline=None)
@given(st.text(), st.integers(0, 100), st.integers(0, 100), st.sampled_from(Capability))
def test_whoever_is_in_at_a_lower_share_is_in_at_a_higher(
    customer: str, one: int, other: int, capability: Capability
) -> None:
    low, high = sorted((one, other))
    if side(standing(low, capability), customer) is Side.MODERN:
        assert side(standing(high, capability), customer) is Side.MODERN


@settings(database=None, deadline=None)
@given(st.text(), st.integers(0, 100))
def test_a_change_of_the_generation_moves_nobody(customer: str, percent: int) -> None:
    assert side(standing(percent, generation=1), customer) is side(standing(percent, generation=9), customer)


def test_two_capabilities_begin_with_different_customers() -> None:
    customers = [f"customer:{number}" for number in range(1_000)]
    first, second = (
        {each for each in customers if side(standing(10, capability), each) is Side.MODERN} for capability in Capability
    )
    assert len(first & second) < 40 < len(first)
    assert BUCKETS == 10_000


def test_a_customer_is_the_same_in_pages_and_api() -> None:
    by_session = visitors.identify(request(cookie="shopsession=ann; shopvisitor=vvvvvvvvvvvvvvvvvvvv"))
    by_basic = visitors.identify(request(authorization=basic("ann@EXAMPLE.org")))
    assert by_session == by_basic
    assert not by_session.new


def test_whoever_is_not_logged_in_is_known_by_a_cookie() -> None:
    first = visitors.identify(request())
    answer = first.remembered(LegacyResponse(200, (("Set-Cookie", "shopsession=x"),)))
    cookies = [value for name, value in answer.headers if name == "Set-Cookie"]
    assert cookies[0] == "shopsession=x"
    assert cookies[1].startswith(f"{VISITOR}={first.key}; ")
    again = visitors.identify(request(cookie=f"strange[]=1; {cookies[1].partition(';')[0]}"))
    assert again.key == first.key
    assert again.remembered(answer) is answer


def test_a_cookie_that_is_none_of_ours_is_replaced() -> None:
    for value in ("", "short", "x" * 65, "customer:ann@example.org", "ü" * 20):
        assert visitors.identify(request(cookie=f"{VISITOR}={value}")).new


def test_credentials_that_cannot_be_read_are_nobodys() -> None:
    for value in ("Basic", "Basic !!!", "Bearer abc", "Basic " + base64.b64encode(b"\xff:x").decode(), basic("")):
        assert visitors.identify(request(authorization=value)).new

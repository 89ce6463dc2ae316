"""Against a running Prometheus that watches a shop with traffic; without PROMETHEUS_URL only what needs none."""

import os

import httpx
import pytest

from tests.observability.files import ALERTS, expressions
from tests.observability.live import NOT_YET, OF_OTHERS, assert_dashboards_have_data, selectors


@pytest.mark.system
def test_every_panel_and_every_rule_has_data() -> None:
    url = os.environ.get("PROMETHEUS_URL")
    if url is None:
        pytest.skip("PROMETHEUS_URL is not set: name a Prometheus that watches a shop with traffic")

    with httpx.Client(base_url=url, timeout=10) as prometheus:
        assert_dashboards_have_data(prometheus)


def test_an_exception_that_no_expression_needs_is_taken_off_the_list() -> None:
    asked = [*expressions(), *(rule["expr"] for rule in ALERTS.values())]

    assert [piece for piece in (*NOT_YET, *OF_OTHERS) if not any(piece in expr for expr in asked)] == []


def test_the_series_that_an_expression_reads_are_found_in_it() -> None:
    expr = 'sum by (service, breaker) (rate(a_total{x="1"}[5m])) > 2 and up{job="shop"} == 0 or b:c_d:max > 1'

    assert selectors(expr) == ['a_total{x="1"}', 'up{job="shop"}', "b:c_d:max"]


def test_a_panel_without_data_is_named() -> None:
    nothing = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": {"result": []}}))

    with (
        httpx.Client(base_url="http://prometheus", transport=nothing) as prometheus,
        pytest.raises(AssertionError, match="saga, Age of the oldest: service:saga_oldest_age_seconds:max"),
    ):
        assert_dashboards_have_data(prometheus)

"""Against a Prometheus that watches a shop with traffic, PROMETHEUS_URL: `make system TARGET=compose` starts one."""

import os
import time

import httpx
import pytest

from tests.observability.files import ALERTS, expressions
from tests.observability.live import NOT_YET, OF_OTHERS, selectors, without_data


@pytest.mark.system
def test_every_panel_and_every_rule_has_data() -> None:
    url = os.environ.get("PROMETHEUS_URL")
    if url is None:
        pytest.skip("PROMETHEUS_URL is not set: name a Prometheus that watches a shop with traffic")

    with httpx.Client(base_url=url, timeout=10) as prometheus:
        assert _without_data_in_the_end(prometheus) == []


def _without_data_in_the_end(prometheus: httpx.Client) -> list[str]:
    """A rate needs two scrapes, a rule one look more."""
    limit = time.monotonic() + 90
    while (empty := without_data(prometheus)) and time.monotonic() < limit:
        time.sleep(1)
    return empty


def test_an_exception_that_no_expression_needs_is_taken_off_the_list() -> None:
    asked = [*expressions(), *(rule["expr"] for rule in ALERTS.values())]

    assert [piece for piece in (*NOT_YET, *OF_OTHERS) if not any(piece in expr for expr in asked)] == []


def test_the_series_that_an_expression_reads_are_found_in_it() -> None:
    expr = 'sum by (service, breaker) (rate(a_total{x="1"}[5m])) > 2 and up{job="shop"} == 0 or b:c_d:max > 1'

    assert selectors(expr) == ['a_total{x="1"}', 'up{job="shop"}', "b:c_d:max"]


def test_a_panel_without_data_is_named() -> None:
    nothing = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": {"result": []}}))

    with httpx.Client(base_url="http://prometheus", transport=nothing) as prometheus:
        assert "saga, Age of the oldest: service:saga_oldest_age_seconds:max" in without_data(prometheus)

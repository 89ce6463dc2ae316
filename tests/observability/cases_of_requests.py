"""Histories of requests: for each alert one that fires it and one that does not."""

from tests.observability.rule_case import Case


def _answers(status: int, values: str) -> dict[str, str]:
    labels = f'upstream="catalog",http_request_method="GET",http_response_status_code="{status}"'
    return {f"gateway_request_duration_seconds_count{{{labels}}}": values}


def _reads(total: float, fast: float) -> dict[str, str]:
    return _timed('upstream="catalog",http_request_method="GET",http_response_status_code="200"', "0.25", total, fast)


def _orders(total: float, fast: float) -> dict[str, str]:
    return _timed('upstream="orders",http_request_method="POST",http_response_status_code="202"', "1.0", total, fast)


def _timed(labels: str, bound: str, total: float, fast: float) -> dict[str, str]:
    return {
        f"gateway_request_duration_seconds_count{{{labels}}}": f"0+{total}x90",
        f'gateway_request_duration_seconds_bucket{{{labels},le="{bound}"}}': f"0+{fast}x90",
    }


REQUESTS = (
    Case(
        "AvailabilityBurnsFast",
        _answers(200, "0+98x90") | _answers(503, "0+2x90"),
        "70m",
        "2% of the requests fail; the objective allows 0.1 %",
    ),
    Case("AvailabilityBurnsFast", _answers(200, "0+999x90") | _answers(503, "0+1x90"), "70m"),
    # An outage that has ended: the long windows remember it, the short ones do not.
    Case("AvailabilityBurnsFast", _answers(200, "0+100x90") | _answers(503, "0+20x20 400x70"), "60m"),
    # Three errors in a night of few requests.
    Case("AvailabilityBurnsFast", _answers(200, "0+1x90") | _answers(503, "0x50 1 2 3x30"), "55m"),
    # Refused, and left by the client: neither is a failure.
    Case("AvailabilityBurnsFast", _answers(200, "0+50x90") | _answers(429, "0+50x90") | _answers(499, "0+9x90"), "70m"),
    Case(
        "AvailabilityBurnsSlowly",
        _answers(200, "0+996x90") | _answers(500, "0+4x90"),
        "70m",
        "0.4% of the requests fail; the objective allows 0.1 %",
    ),
    Case("AvailabilityBurnsSlowly", _answers(200, "0+9995x90") | _answers(500, "0+5x90"), "70m"),
    Case("ReadsBurnFast", _reads(100, 80), "70m", "20% of the reads take more than 250 ms; the objective allows 1 %"),
    Case("ReadsBurnFast", _reads(100, 98), "70m"),
    Case("ReadsBurnSlowly", _reads(100, 96), "70m", "4% of the reads take more than 250 ms; the objective allows 1 %"),
    # Every second one is slow, of twelve in an hour.
    Case("ReadsBurnFast", _reads(0.2, 0.1), "70m"),
    Case("OrdersBurnFast", _orders(0.2, 0.1), "70m"),
    Case("ReadsBurnSlowly", _reads(200, 199), "70m"),
    Case(
        "OrdersBurnFast",
        _orders(100, 80),
        "70m",
        "20% of the orders are accepted after more than a second; the objective allows 1 %",
    ),
    Case("OrdersBurnFast", _orders(100, 98), "70m"),
    Case(
        "OrdersBurnSlowly",
        _orders(100, 96),
        "70m",
        "4% of the orders are accepted after more than a second; the objective allows 1 %",
    ),
    Case("OrdersBurnSlowly", _orders(200, 199), "70m"),
    Case(
        "BreakerOpen",
        {'breaker_state{service="gateway",breaker="orders.write"}': "0x6 2 2 1 2 2 1 2 2 1 2 2 1 2 2 1 2 2 1 2 2 1 2"},
        "3m40s",
        "gateway has stopped calling orders.write",
        {"service": "gateway", "breaker": "orders.write"},
        "10s",
    ),
    Case(
        "BreakerOpen",
        {'breaker_state{service="gateway",breaker="orders.write"}': "0x6 2x5 1 0x30"},
        "3m40s",
        interval="10s",
    ),
    Case(
        "RetriesMany",
        _answers(200, "0+100x20") | {'gateway_retries_total{upstream="catalog"}': "0+20x20"},
        "15m",
        "more than one request in ten to catalog needed a second attempt",
        {"upstream": "catalog"},
    ),
    Case("RetriesMany", _answers(200, "0+100x20") | {'gateway_retries_total{upstream="catalog"}': "0+5x20"}, "15m"),
)

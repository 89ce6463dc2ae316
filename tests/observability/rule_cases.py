"""For each alert a history that fires it and one that does not, in promtool's notation: `0+10x60` grows by 10, 60 times."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SERVICES = ("gateway", "identity", "catalog", "inventory", "orders", "payments", "psp")


@dataclass(frozen=True)
class Case:
    """At `at`, after `history` (values by series), `alert` fires with `labels` and `summary`, or is silent without them."""

    alert: str
    history: Mapping[str, str]
    at: str
    summary: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    interval: str = "1m"


def _answers(status: int, values: str) -> dict[str, str]:
    labels = f'upstream="catalog",http_request_method="GET",http_response_status_code="{status}"'
    return {f"gateway_request_duration_seconds_count{{{labels}}}": values}


def _reads(total: int, fast: int) -> dict[str, str]:
    return _timed('upstream="catalog",http_request_method="GET",http_response_status_code="200"', "0.25", total, fast)


def _orders(total: int, fast: int) -> dict[str, str]:
    return _timed('upstream="orders",http_request_method="POST",http_response_status_code="202"', "1.0", total, fast)


def _timed(labels: str, bound: str, total: int, fast: int) -> dict[str, str]:
    return {
        f"gateway_request_duration_seconds_count{{{labels}}}": f"0+{total}x180",
        f'gateway_request_duration_seconds_bucket{{{labels},le="{bound}"}}': f"0+{fast}x180",
    }


def _up(*services: str, values: str = "1x20") -> dict[str, str]:
    return {f'up{{job="shop",service="{name}",instance="{name}-1"}}': values for name in services}


def _orders_replicas(name: str, first: str, second: str) -> dict[str, str]:
    return {f'{name}{{service="orders",instance="{n}"}}': values for n, values in enumerate((first, second))}


_IN_ORDERS = {"service": "orders"}
_OF_ORDERS = {"service": "orders", "consumer": "orders"}
_REPLICA = {"job": "shop", "service": "orders", "instance": "orders-1"}
_POOL = {"service": "orders", "instance": "orders-1"}

CASES = (
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
        _answers(200, "0+996x180") | _answers(500, "0+4x180"),
        "170m",
        "0.4% of the requests fail; the objective allows 0.1 %",
    ),
    Case("AvailabilityBurnsSlowly", _answers(200, "0+9995x180") | _answers(500, "0+5x180"), "170m"),
    Case("ReadsBurnFast", _reads(100, 80), "70m", "20% of the reads take more than 250 ms; the objective allows 1 %"),
    Case("ReadsBurnFast", _reads(100, 98), "70m"),
    Case("ReadsBurnSlowly", _reads(100, 96), "170m", "4% of the reads take more than 250 ms; the objective allows 1 %"),
    Case("ReadsBurnSlowly", _reads(200, 199), "170m"),
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
        "170m",
        "4% of the orders are accepted after more than a second; the objective allows 1 %",
    ),
    Case("OrdersBurnSlowly", _orders(200, 199), "170m"),
    Case(
        "CheckoutStuck",
        _orders_replicas("saga_oldest_age_seconds", "0+60x20", "0+60x20"),
        "8m",
        "the oldest checkout has been open for 8m 0s",
        _IN_ORDERS,
    ),
    Case("CheckoutStuck", _orders_replicas("saga_oldest_age_seconds", "0+60x5 0x20", "0+60x5 0x20"), "8m"),
    Case(
        "CheckoutSlow",
        _orders_replicas("saga_oldest_age_seconds", "90x20", "90x20"),
        "10m",
        "the oldest checkout has been open for 1m 30s; the objective is one minute",
        _IN_ORDERS,
    ),
    Case("CheckoutSlow", _orders_replicas("saga_oldest_age_seconds", "30x20", "30x20"), "10m"),
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
    Case(
        "OutboxStuck",
        _orders_replicas("outbox_age_seconds", "0+30x20", "0x20"),
        "5m",
        "orders has kept a message to itself for 2m 30s",
        _IN_ORDERS,
    ),
    Case("OutboxStuck", _orders_replicas("outbox_age_seconds", "40x20", "0x20"), "10m"),
    Case(
        "OutboxSlow",
        _orders_replicas("outbox_age_seconds", "10x20", "0x20"),
        "10m",
        "messages of orders wait 10s; the objective is five seconds",
        _IN_ORDERS,
    ),
    Case("OutboxSlow", _orders_replicas("outbox_age_seconds", "2x20", "0x20"), "10m"),
    Case(
        "RelayMissing",
        _orders_replicas("outbox_relay_leader", "0x10", "0x10"),
        "5m",
        "no replica of orders publishes",
        _IN_ORDERS,
    ),
    Case("RelayMissing", _orders_replicas("outbox_relay_leader", "1 1 0x10", "0 0 1x10"), "5m"),
    Case(
        "RelayTwice",
        _orders_replicas("outbox_relay_leader", "1x10", "1x10"),
        "5m",
        "2 replicas of orders publish at once: the order of messages is not kept",
        _IN_ORDERS,
    ),
    Case("RelayTwice", _orders_replicas("outbox_relay_leader", "1x10", "0x10"), "5m"),
    Case(
        "BusLost",
        _orders_replicas("bus_connected", "1x10", "0x10"),
        "5m",
        "a replica of orders is not connected to NATS",
        _IN_ORDERS,
    ),
    Case("BusLost", _orders_replicas("bus_connected", "1x10", "1 0 1x10"), "5m"),
    Case(
        "DeadLetters",
        {'jetstream_stream_messages{service="orders",stream="SHOP_DEAD"}': "0 0 3x10"},
        "5m",
        "3 messages could not be handled",
        {"stream": "SHOP_DEAD"},
    ),
    Case(
        "DeadLetters",
        {
            'jetstream_stream_messages{service="orders",stream="SHOP_DEAD"}': "0x10",
            'jetstream_stream_messages{service="orders",stream="SHOP"}': "500x10",
        },
        "5m",
    ),
    Case(
        "ConsumerLags",
        {'consumer_pending_messages{service="orders",consumer="orders"}': "1100+100x20"},
        "10m",
        "2100 messages wait for orders, and they do not become fewer",
        _OF_ORDERS,
    ),
    # Many, but it catches up by itself.
    Case("ConsumerLags", {'consumer_pending_messages{service="orders",consumer="orders"}': "9000-200x20"}, "10m"),
    Case(
        "MessagesPutOff",
        {'consumer_redelivered_messages{service="orders",consumer="orders"}': "20x20"},
        "15m",
        "20 messages of orders are being delivered again and again",
        _OF_ORDERS,
    ),
    Case("MessagesPutOff", {'consumer_redelivered_messages{service="orders",consumer="orders"}': "5x20"}, "15m"),
    Case(
        "StreamFills",
        {'jetstream_stream_bytes{service="orders",stream="SHOP"}': "900000000x10"},
        "6m",
        "stream SHOP holds 858.3MiB of 1 GiB",
        {"stream": "SHOP"},
    ),
    Case("StreamFills", {'jetstream_stream_bytes{service="orders",stream="SHOP"}': "100000000x10"}, "6m"),
    Case("TargetDown", _up("orders", values="1 1 0x9"), "4m", "replica orders-1 of orders does not answer", _REPLICA),
    Case("TargetDown", _up("orders", values="1 1 0 1x9"), "4m"),
    Case(
        "ServiceGone",
        _up(*(name for name in SERVICES if name != "payments")),
        "3m",
        "there is no replica of payments",
        {"job": "shop", "service": "payments"},
    ),
    Case("ServiceGone", _up(*SERVICES), "3m"),
    Case(
        "RestartsOften",
        {'process_start_time_seconds{job="shop",service="orders",instance="orders-1"}': "10x3 20x2 30x2 40x20"},
        "10m",
        "orders started 3 times in a quarter of an hour",
        _IN_ORDERS,
    ),
    Case("RestartsOften", {'process_start_time_seconds{job="shop",service="orders"}': "10x3 20x20"}, "10m"),
    Case(
        "PoolExhausted",
        {
            'database_pool_in_use{service="orders",instance="orders-1"}': "10x10",
            'database_pool_limit{service="orders",instance="orders-1"}': "10x10",
        },
        "6m",
        "orders (orders-1) has hardly a connection left",
        _POOL,
    ),
    Case(
        "PoolExhausted",
        {
            'database_pool_in_use{service="orders",instance="orders-1"}': "6x10",
            'database_pool_limit{service="orders",instance="orders-1"}': "10x10",
        },
        "6m",
    ),
    Case(
        "DatabaseUnseen",
        {'postgres_connections_limit{database="orders"}': "60x5 _x20"},
        "14m",
        "database orders no longer answers",
        {"database": "orders"},
    ),
    Case("DatabaseUnseen", {'postgres_connections_limit{database="orders"}': "60x20"}, "14m"),
    # Nobody asks: the profile does not run.
    Case("DatabaseUnseen", {}, "14m"),
    Case(
        "ConnectionsScarce",
        {
            'postgres_connections{database="orders",state="active"}': "40x10",
            'postgres_connections{database="orders",state="idle"}': "15x10",
            'postgres_connections_limit{database="orders"}': "60x10",
        },
        "6m",
        "55 connections to orders, more than 80 % of the limit",
        {"database": "orders"},
    ),
    Case(
        "ConnectionsScarce",
        {
            'postgres_connections{database="orders",state="active"}': "10x10",
            'postgres_connections_limit{database="orders"}': "60x10",
        },
        "6m",
    ),
    Case(
        "TransactionLong",
        {'postgres_longest_transaction_seconds{database="orders"}': "0+60x20"},
        "10m",
        "a transaction in orders has been open for 10m 0s",
        {"database": "orders"},
    ),
    Case("TransactionLong", {'postgres_longest_transaction_seconds{database="orders"}': "0 30 0 50 5x9"}, "10m"),
    Case(
        "TelemetryDown",
        {'up{job="loki",instance="loki:3100"}': "0x10"},
        "6m",
        "loki at loki:3100 does not answer",
        {"job": "loki", "instance": "loki:3100"},
    ),
    Case("TelemetryDown", {'up{job="loki",instance="loki:3100"}': "0 0 1x10"}, "6m"),
    Case(
        "SpansLost",
        {'telemetry_spans_lost_total{service="orders"}': "0+60x20"},
        "15m",
        "orders throws spans away: the collector does not take them",
        _IN_ORDERS,
    ),
    Case("SpansLost", {'telemetry_spans_lost_total{service="orders"}': "500x20"}, "15m"),
)

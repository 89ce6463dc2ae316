"""Histories of checkouts, messages, processes and databases: for each alert one that fires it and one that does not."""

from deploy.local.programs import BY_NAME
from tests.observability.rule_case import Case

# Those that tell figures: the old shop has none.
SERVICES = tuple(name for name, service in BY_NAME.items() if service.chassis)


def _up(*services: str, values: str = "1x20") -> dict[str, str]:
    return {f'up{{job="shop",service="{name}",instance="{name}-1"}}': values for name in services}


def _orders_replicas(name: str, first: str, second: str) -> dict[str, str]:
    return {f'{name}{{service="orders",instance="{n}"}}': values for n, values in enumerate((first, second))}


def _watcher(instance: str, values: str) -> dict[str, str]:
    return {f'up{{job="loki",service="loki",instance="{instance}"}}': values}


_LOKI = {"job": "loki", "service": "loki"}
_IN_ORDERS = {"service": "orders"}
_OF_ORDERS = {"service": "orders", "consumer": "orders"}
_REPLICA = {"job": "shop", "service": "orders", "instance": "orders-1"}
_POOL = {"service": "orders", "instance": "orders-1"}

INSIDE = (
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
    Case(
        "BridgeLags",
        {
            'bridge_lag_seconds{service="bridge",direction="to-shop"}': "0 0 0+30x10",
            'bridge_lag_seconds{service="bridge",direction="to-legacy"}': "0x20",
        },
        "10m",
        "to-shop, changes are 4m 0s behind",
        {"direction": "to-shop"},
    ),
    Case("BridgeLags", {'bridge_lag_seconds{service="bridge",direction="to-shop"}': "0 20 0 1x10"}, "6m"),
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
    # It goes on.
    Case(
        "DatabaseUnseen",
        {'postgres_connections_limit{database="orders"}': "60x5 _x60"},
        "50m",
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
    Case("TelemetryDown", _watcher("loki-1", "0x10"), "6m", "loki (loki) does not answer", _LOKI),
    # Its container is gone, and its address with it.
    Case("TelemetryDown", _watcher("loki-1", "1x5 _x60"), "50m", "loki (loki) does not answer", _LOKI),
    Case("TelemetryDown", _watcher("loki-1", "0 0 1x10"), "6m"),
    # Started anew it has another address.
    Case("TelemetryDown", _watcher("loki-1", "1x5 _x60") | _watcher("loki-2", "_x6 1x60"), "50m"),
    # Its own metrics are there, those of the databases are not.
    Case(
        "TelemetryDown",
        {
            'up{job="collectors",service="database-collector"}': "1x20",
            'up{job="databases",service="database-collector"}': "1x5 0x20",
        },
        "15m",
        "database-collector (databases) does not answer",
        {"job": "databases", "service": "database-collector"},
    ),
    Case(
        "SpansLost",
        {'telemetry_spans_lost_total{service="orders"}': "0+60x20"},
        "15m",
        "orders throws spans away: the collector does not take them",
        _IN_ORDERS,
    ),
    Case("SpansLost", {'telemetry_spans_lost_total{service="orders"}': "500x20"}, "15m"),
)

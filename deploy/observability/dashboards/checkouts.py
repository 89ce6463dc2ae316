"""Checkouts and the messages that they travel by: the saga, outbox and inbox, JetStream."""

from deploy.observability.dashboards.panels import Dashboard, Panel
from deploy.observability.dashboards.promql import rate

SAGA = Dashboard(
    "saga",
    "Checkouts",
    [
        Panel(
            "Oldest open checkout",
            {"age": "service:saga_oldest_age_seconds:max"},
            "s",
            "The objective: a minute. 0: none is open.",
            60,
            "stat",
            height=6,
        ),
        Panel(
            "Open checkouts",
            {"{{direction}}": "max by (direction) (saga_open)"},
            kind="stat",
            why="Backward: what was done is being undone.",
            height=6,
        ),
        Panel(
            "Confirmed, of those that ended",
            {
                "in 15 min": 'sum(increase(saga_ended_total{outcome="confirmed"}[15m]))'
                " / sum(increase(saga_ended_total[15m]))"
            },
            "percentunit",
            "The rest was cancelled: no stock, a declined card, a customer's wish.",
            kind="stat",
            height=6,
        ),
        Panel("Ended", {"{{outcome}}": rate("saga_ended_total", "outcome")}, "ops", width=12),
        Panel(
            "Age of the oldest",
            {"age": "service:saga_oldest_age_seconds:max"},
            "s",
            "A steady climb: nothing ends. Which step waits: the log of orders, and of whom it asked.",
            60,
            width=12,
        ),
        Panel(
            "Open by direction",
            {"{{direction}}": "max by (direction) (saga_open)"},
            width=12,
        ),
        Panel(
            "Replies and commands",
            {"{{service}} {{type}}": rate('inbox_messages_total{outcome="handled"}', "service, type")},
            "ops",
            "Inventory, payments, inventory: where the chain breaks, the next line is missing.",
            width=12,
        ),
        Panel(
            "Orders: errors in the log",
            {"": '{service_name=~"orders|payments|inventory"} | severity_text=~"error|critical|warning"'},
            kind="logs",
            width=24,
            height=10,
        ),
    ],
)


MESSAGES = Dashboard(
    "messages",
    "Outbox and inbox",
    [
        Panel(
            "Oldest unpublished message",
            {"{{service}}": "service:outbox_age_seconds:max"},
            "s",
            "The objective: five seconds.",
            5,
        ),
        Panel(
            "Unpublished",
            {"{{service}}": "max by (service) (outbox_pending)"},
            why="Of the last batch that the relay read: 200 means 200 or more.",
        ),
        Panel("Published", {"{{service}}": rate("outbox_published_total", "service")}, "ops"),
        Panel(
            "Relays at work",
            {"{{service}}": "sum by (service) (outbox_relay_leader)"},
            why="One in each service, whatever the number of replicas. None: nothing is published. Two: no order.",
        ),
        Panel("Handled", {"{{service}}": rate('inbox_messages_total{outcome="handled"}', "service")}, "ops"),
        Panel(
            "Not handled at once",
            {"{{service}} {{outcome}}": rate('inbox_messages_total{outcome!="handled"}', "service, outcome")},
            "ops",
            "duplicate: delivered twice, no second effect. put-off: a dependency is away. failed: will be tried again. "
            "dead: given up.",
        ),
        Panel("Connected to NATS", {"{{service}}": "min by (service) (bus_connected)"}, why="0: a replica is not."),
        Panel(
            "Database connections in use",
            {"{{service}}": "max by (service) (database_pool_in_use / database_pool_limit)"},
            "percentunit",
            "The fullest replica of each service.",
            0.9,
        ),
        Panel(
            "Spans lost",
            {"{{service}}": rate("telemetry_spans_lost_total", "service")},
            "ops",
            "The collector is away or full; requests do not wait for it.",
        ),
    ],
)


JETSTREAM = Dashboard(
    "jetstream",
    "JetStream",
    [
        Panel(
            "Dead letters",
            {"{{stream}}": 'stream:jetstream_stream_messages:max{stream=~".+_DEAD"}'},
            why="Each is an order that waits for a person. make replay puts them back.",
            limit=1,
            kind="stat",
            height=6,
        ),
        Panel(
            "Fullest stream",
            {"of 1 GiB": "max(jetstream_stream_bytes) / 1073741824"},
            "percentunit",
            "A full stream refuses new messages, which then wait in the outboxes.",
            0.8,
            "stat",
            height=6,
        ),
        Panel(
            "Waiting for consumers",
            {"{{consumer}}": "service:consumer_pending_messages:max"},
            kind="stat",
            limit=1000,
            height=6,
        ),
        Panel("Messages", {"{{stream}}": "stream:jetstream_stream_messages:max"}, why="Kept for three days."),
        Panel("Bytes", {"{{stream}}": "max by (stream) (jetstream_stream_bytes)"}, "bytes"),
        Panel(
            "Not yet delivered",
            {"{{consumer}}": "service:consumer_pending_messages:max"},
            why="Grows: its service is too slow, or away.",
        ),
        Panel(
            "In work or put off",
            {"{{consumer}}": "max by (consumer) (consumer_ack_pending_messages)"},
            why="Delivered and not acknowledged.",
        ),
        Panel(
            "Delivered more than once",
            {"{{consumer}}": "max by (consumer) (consumer_redelivered_messages)"},
            why="Of those: a dependency is away, or a handler fails.",
        ),
        Panel("Deliveries", {"{{outcome}}": rate("inbox_messages_total", "outcome")}, "ops"),
    ],
)

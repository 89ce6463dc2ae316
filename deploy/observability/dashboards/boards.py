"""What the dashboards show: a table of panels for each. Numbers that an alert looks at too come from its recording rule."""

from deploy.observability.dashboards.panels import Dashboard, Panel

_REQUESTS = 'gateway_request_duration_seconds_count{upstream!=""'
_BUCKETS = 'gateway_request_duration_seconds_bucket{upstream!=""'
_STATES = {0: ("closed", "green"), 1: ("half-open", "yellow"), 2: ("open", "red")}


def _rate(selector: str, by: str) -> str:
    return f"sum by ({by}) (rate({selector}[$__rate_interval]))"


def _quantile(share: float, buckets: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({buckets}[$__rate_interval])))"


def _share(part: str, whole: str) -> str:
    return f"(sum(rate({part}[$__rate_interval])) or vector(0)) / sum(rate({whole}[$__rate_interval]))"


GATEWAY = Dashboard(
    "gateway",
    "Gateway",
    [
        Panel(
            "Failing now",
            {"of the requests": "shop:request_errors:ratio_rate5m"},
            "percentunit",
            "Answers of 500 and above in five minutes, shed requests among them. The objective: 0.1 % in 30 days.",
            0.001,
            "stat",
            height=4,
        ),
        Panel(
            "Slow reads now",
            {"over 250 ms": "shop:reads_slow:ratio_rate5m"},
            "percentunit",
            "Reads that took more than 250 ms, in five minutes. The objective: 1 % in 30 days.",
            0.01,
            "stat",
            height=4,
        ),
        Panel(
            "Slow orders now",
            {"over 1 s": "shop:orders_slow:ratio_rate5m"},
            "percentunit",
            "Orders that were accepted after more than a second, in five minutes. The objective: 1 % in 30 days.",
            0.01,
            "stat",
            height=4,
        ),
        Panel("Rate", {"{{http_route}}": _rate(_REQUESTS + "}", "http_route")}, "reqps", "Requests by route."),
        Panel(
            "Errors",
            {
                "failed": _share(_REQUESTS + ',http_response_status_code=~"5.."}', _REQUESTS + "}"),
                "refused": _share(_REQUESTS + ',http_response_status_code=~"4.."}', _REQUESTS + "}"),
            },
            "percentunit",
            "Failed is our fault (5xx), refused is the caller's (4xx).",
        ),
        Panel(
            "Duration",
            {
                "p50": _quantile(0.5, _BUCKETS + "}"),
                "p95": _quantile(0.95, _BUCKETS + "}"),
                "p99": _quantile(0.99, _BUCKETS + "}"),
            },
            "s",
            "As the client waits: from the request's first byte to the answer's last.",
        ),
        Panel(
            "Duration by service, p99",
            {"{{upstream}}": _quantile(0.99, _BUCKETS + "}", "upstream")},
            "s",
        ),
        Panel(
            "Duration inside the services, p99",
            {"{{service}}": _quantile(0.99, "http_server_request_duration_seconds_bucket", "service")},
            "s",
            "Without gateway and network: what is slow here is slow by itself, or waits for its database.",
        ),
        Panel(
            "Answers",
            {"{{http_response_status_code}}": _rate(_REQUESTS + "}", "http_response_status_code")},
            "reqps",
        ),
        Panel(
            "Refused by the gateway",
            {"{{reason}}": _rate("gateway_refusals_total", "reason")},
            "reqps",
            "overload and bulkhead: shed. breaker: its service fails. rate: one client asks too much.",
        ),
        Panel(
            "Under way",
            {"{{upstream}}": 'sum by (upstream) (gateway_in_flight{upstream!=""})'},
            why="Requests that wait for a service; the bulkhead bounds each.",
        ),
        Panel(
            "Burn rate",
            {
                "1 h": "shop:request_errors:ratio_rate1h / 0.001",
                "6 h": "shop:request_errors:ratio_rate6h / 0.001",
                "3 d": "shop:request_errors:ratio_rate3d / 0.001",
            },
            why="How many times faster than allowed the availability objective is spent. 14.4 in an hour pages.",
            limit=14.4,
        ),
        Panel(
            "Errors in the logs",
            {"": '{service_name=~".+"} | severity_text=~"error|critical"'},
            kind="logs",
            why="Open a line: its trace_id leads to the trace.",
            width=24,
            height=10,
        ),
    ],
)

BREAKERS = Dashboard(
    "breakers",
    "Breakers and retries",
    [
        Panel(
            "State",
            {"{{service}} → {{breaker}}": "max by (service, breaker) (breaker_state)"},
            why="Open: calls are not made. One probe is let through every five seconds.",
            kind="state-timeline",
            width=24,
            height=10,
            states=_STATES,
        ),
        Panel(
            "Calls that failed",
            {"{{breaker}}": _rate('breaker_calls_total{outcome="failure"}', "breaker")},
            "ops",
            "500, 502, 503, 504, no connection, no answer in time.",
        ),
        Panel(
            "Calls not made",
            {"{{breaker}}": _rate('breaker_calls_total{outcome="rejected"}', "breaker")},
            "ops",
            "Rejected while open: what the service that fails was spared.",
        ),
        Panel(
            "Calls that succeeded", {"{{breaker}}": _rate('breaker_calls_total{outcome="success"}', "breaker")}, "ops"
        ),
        Panel(
            "Changes of state",
            {"{{breaker}} to {{to}}": "sum by (breaker, to) (increase(breaker_transitions_total[5m]))"},
            width=12,
            why="In five minutes. Many: it swings, and its threshold or time limit does not fit.",
        ),
        Panel(
            "Second attempts",
            {"{{upstream}}": _rate("gateway_retries_total", "upstream")},
            "ops",
            "Only what may be repeated is, and only a fifth of all requests.",
            width=12,
        ),
    ],
)

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
        Panel("Ended", {"{{outcome}}": _rate("saga_ended_total", "outcome")}, "ops", width=12),
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
            {"{{service}} {{type}}": _rate('inbox_messages_total{outcome="handled"}', "service, type")},
            "ops",
            "Each checkout asks inventory, then payments, then inventory: where the chain breaks, the next line is missing.",
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
        Panel("Published", {"{{service}}": _rate("outbox_published_total", "service")}, "ops"),
        Panel(
            "Relays at work",
            {"{{service}}": "sum by (service) (outbox_relay_leader)"},
            why="One in each service, whatever the number of replicas. None: nothing is published. Two: no order.",
        ),
        Panel("Handled", {"{{service}}": _rate('inbox_messages_total{outcome="handled"}', "service")}, "ops"),
        Panel(
            "Not handled at once",
            {"{{service}} {{outcome}}": _rate('inbox_messages_total{outcome!="handled"}', "service, outcome")},
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
            {"{{service}}": _rate("telemetry_spans_lost_total", "service")},
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
        Panel("Deliveries", {"{{outcome}}": _rate("inbox_messages_total", "outcome")}, "ops"),
    ],
)

POSTGRES = Dashboard(
    "postgres",
    "PostgreSQL",
    [
        Panel("Commits", {"{{database}}": _rate("postgres_commits_total", "database")}, "ops"),
        Panel(
            "Rolled back",
            {"{{database}}": _rate("postgres_rollbacks_total", "database")},
            "ops",
            "Some are business: the second of two messages, a conflict.",
        ),
        Panel("Deadlocks", {"{{database}}": "sum by (database) (increase(postgres_deadlocks_total[5m]))"}, limit=1),
        Panel(
            "Connections",
            {"{{database}} {{state}}": "sum by (database, state) (postgres_connections)"},
            why="Idle in transaction should never last.",
        ),
        Panel(
            "Connections, of the limit",
            {
                "{{database}}": "sum by (database) (postgres_connections)"
                " / max by (database) (postgres_connections_limit)"
            },
            "percentunit",
            limit=0.8,
        ),
        Panel("Longest transaction", {"{{database}}": "max by (database) (postgres_longest_transaction_seconds)"}, "s"),
        Panel("Waiting for a lock", {"{{database}}": "sum by (database) (postgres_waiting_for_locks)"}),
        Panel(
            "Found in memory",
            {
                "{{database}}": f"{_rate('postgres_blocks_hit_total', 'database')} / "
                f"({_rate('postgres_blocks_hit_total', 'database')} + {_rate('postgres_blocks_read_total', 'database')})"
            },
            "percentunit",
            "Blocks that needed no read. Far below 99 %: the working set does not fit.",
        ),
        Panel("Size", {"{{database}}": "max by (database) (postgres_database_bytes)"}, "bytes"),
        Panel(
            "Largest tables",
            {"{{database}} {{table}}": "topk(10, max by (database, table) (postgres_table_bytes))"},
            "bytes",
            width=12,
        ),
        Panel(
            "Dead rows",
            {"{{database}} {{table}}": "topk(10, max by (database, table) (postgres_table_dead_rows))"},
            why="Left by updates and deletes until autovacuum comes. The outbox makes the most.",
            width=12,
        ),
    ],
)

BOARDS = (GATEWAY, BREAKERS, SAGA, MESSAGES, JETSTREAM, POSTGRES)

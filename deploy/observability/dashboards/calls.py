"""Calls: what the gateway answers, and what it no longer asks for."""

from deploy.observability.dashboards.panels import Dashboard, Panel
from deploy.observability.dashboards.promql import quantile, rate, share

_REQUESTS = 'gateway_request_duration_seconds_count{upstream!=""'
_BUCKETS = 'gateway_request_duration_seconds_bucket{upstream!=""'
_STATES = {0: ("closed", "green"), 1: ("half-open", "yellow"), 2: ("open", "red")}


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
        Panel("Rate", {"{{http_route}}": rate(_REQUESTS + "}", "http_route")}, "reqps", "Requests by route."),
        Panel(
            "Errors",
            {
                "failed": share(_REQUESTS + ',http_response_status_code=~"5.."}', _REQUESTS + "}"),
                "refused": share(_REQUESTS + ',http_response_status_code=~"4.."}', _REQUESTS + "}"),
            },
            "percentunit",
            "Failed is our fault (5xx), refused is the caller's (4xx).",
        ),
        Panel(
            "Duration",
            {
                "p50": quantile(0.5, _BUCKETS + "}"),
                "p95": quantile(0.95, _BUCKETS + "}"),
                "p99": quantile(0.99, _BUCKETS + "}"),
            },
            "s",
            "As the client waits: from the request's first byte to the answer's last.",
        ),
        Panel(
            "Duration by service, p99",
            {"{{upstream}}": quantile(0.99, _BUCKETS + "}", "upstream")},
            "s",
        ),
        Panel(
            "Duration inside the services, p99",
            {"{{service}}": quantile(0.99, "http_server_request_duration_seconds_bucket", "service")},
            "s",
            "Without gateway and network: what is slow here is slow by itself, or waits for its database.",
        ),
        Panel(
            "Answers",
            {"{{http_response_status_code}}": rate(_REQUESTS + "}", "http_response_status_code")},
            "reqps",
        ),
        Panel(
            "Refused by the gateway",
            {"{{reason}}": rate("gateway_refusals_total", "reason")},
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
            {"{{breaker}}": rate('breaker_calls_total{outcome="failure"}', "breaker")},
            "ops",
            "500, 502, 503, 504, no connection, no answer in time.",
        ),
        Panel(
            "Calls not made",
            {"{{breaker}}": rate('breaker_calls_total{outcome="rejected"}', "breaker")},
            "ops",
            "Rejected while open: what the service that fails was spared.",
        ),
        Panel(
            "Calls that succeeded", {"{{breaker}}": rate('breaker_calls_total{outcome="success"}', "breaker")}, "ops"
        ),
        Panel(
            "Changes of state",
            {"{{breaker}} to {{to}}": "sum by (breaker, to) (increase(breaker_transitions_total[5m]))"},
            width=12,
            why="In five minutes. Many: it swings, and its threshold or time limit does not fit.",
        ),
        Panel(
            "Second attempts",
            {"{{upstream}}": rate("gateway_retries_total", "upstream")},
            "ops",
            "Only what may be repeated is, and only a fifth of all requests.",
            width=12,
        ),
    ],
)

"""What the objectives of docs/observability.md are measured by: shares of bad requests over several windows.

Alerts and dashboards read these shares, and so the same number. Named level:metric:operation, as Prometheus'
documentation asks for.
"""

# Those of the burn rates in alerts.yml; five minutes are also what dashboards call now.
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")

_COUNT = "gateway_request_duration_seconds_count"
_BUCKET = "gateway_request_duration_seconds_bucket"
# Without an upstream: the own pages of the gateway, among them the probes, which would make any share look small.
_ALL = 'upstream!=""'
_READS = 'http_request_method="GET",http_response_status_code!~"5..|499",upstream!=""'
_ORDERS = 'http_request_method="POST",http_response_status_code=~"2..",upstream="orders"'


def _rate(metric: str, labels: str) -> str:
    return f"sum(rate({metric}{{{labels}}}[WINDOW]))"


def _slower(labels: str, bound: str) -> str:
    in_time = f'{labels},le="{bound}"'
    return f"1 - {_rate(_BUCKET, in_time)} / {_rate(_COUNT, labels)}"


SHARES = {
    # Answers of 500 and above, shed requests too. A client that left (499) or asked too much (429) is not our fault.
    "shop:request_errors": (
        f"""({_rate(_COUNT, f'{_ALL},http_response_status_code=~"5.."')} or vector(0)) / {_rate(_COUNT, _ALL)}"""
    ),
    # Of the reads that were answered: those that took more than 250 ms.
    "shop:reads_slow": _slower(_READS, "0.25"),
    # Of the orders that were accepted: those that waited for it more than a second. What follows is the saga's age.
    "shop:orders_slow": _slower(_ORDERS, "1.0"),
}


def rules() -> str:
    """The file of recording rules, a group for each share."""
    made = "# Made by `python -m deploy.observability` from deploy/observability/objectives.py.\ngroups:\n"
    return made + "\n".join(_group(name, expr) for name, expr in SHARES.items())


def _group(name: str, expr: str) -> str:
    rules = "".join(
        f"      - record: {name}:ratio_rate{window}\n        expr: '{expr.replace('WINDOW', window)}'\n"
        for window in WINDOWS
    )
    return f"  - name: {name.partition(':')[2]}\n    rules:\n{rules}"

"""Do dashboards and rules have something to show? Asks a Prometheus that watches a shop with traffic."""

import re
from collections.abc import Iterator

import httpx

from tests.observability.files import ALERTS, RECORDED, queries

# What may be empty where nothing goes wrong, or where a part does not run. A key is a piece of the expression.
NOT_YET = {
    "gateway_refusals_total": "a reason is counted from its first refusal on",
    "gateway_retries_total": "an upstream is counted from its first second attempt on",
    "breaker_transitions_total": "a change is counted from the first one on",
    'outcome!="handled"': "nothing was put off or failed",
    'http_response_status_code=~"5.."': "no request failed",
}
OF_OTHERS = {
    "postgres_": ("databases", "comes from the database collector"),
    'job=~"databases|collectors|loki"': ("loki", "looks at the profile's own processes"),
}


def without_data(prometheus: httpx.Client) -> list[str]:
    """The panels, recording rules and alerts whose expression finds nothing."""
    return [
        f"{where}: {expr}" for where, expr in _asked() if _required(prometheus, expr) and not _ask(prometheus, expr)
    ]


def _asked() -> Iterator[tuple[str, str]]:
    yield from ((f"{dashboard}, {panel}", expr) for dashboard, panel, expr in queries())
    yield from ((name, name) for name in RECORDED)
    # An alert finds nothing as long as all is well; what it looks at must be there.
    for name, rule in ALERTS.items():
        if "absent(" not in rule["expr"]:
            yield from ((name, selector) for selector in selectors(rule["expr"]))


def selectors(expr: str) -> list[str]:
    """The series that an expression of ours reads, with their matchers: names with an underscore or colon, or `up`."""
    without_labels = re.sub(r"\bby \([^)]*\)", "", expr)
    found = re.findall(r"(?<![\w:])([a-z][\w:]*)(\{[^}]*\})?(?![\w:(])", without_labels)
    return [name + matchers for name, matchers in found if name == "up" or re.search("[_:]", name)]


def _required(client: httpx.Client, expr: str) -> bool:
    if any(piece in expr for piece in NOT_YET):
        return False
    jobs = [job for piece, (job, _) in OF_OTHERS.items() if piece in expr]
    return all(_ask(client, f'up{{job="{job}"}}') for job in jobs)


def _ask(client: httpx.Client, expr: str) -> list[object]:
    answer = client.post("/api/v1/query", data={"query": expr})
    answer.raise_for_status()
    result: list[object] = answer.json()["data"]["result"]
    return result

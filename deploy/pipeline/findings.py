"""One issue tells what the scans of the promoted images have found; rewritten after each scan, and closed when all is
mended. It is read from GitHub's own list, where findings are dismissed with a reason."""

import json
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from deploy.pipeline.tools import Failed, Run

TITLE = "Vulnerabilities in what is promoted"
ALERTS = "repos/{owner}/{repo}/code-scanning/alerts?state=open&tool_name=Trivy&per_page=100"
# GitHub takes 65,536 characters in an issue.
ROOM = 60_000
# The answer where nothing was ever reported.
_NEVER = re.compile(r"HTTP 404")
_ORDER = ("critical", "high", "medium", "low")
_INTRODUCTION = (
    "Found in the images that an environment runs. It blocks nothing; what is dismissed in the list of code scanning, "
    "with its reason, is left out here. Mended by a newer base or lock, and a promotion."
)


def report(run: Run) -> str:
    """Write, rewrite or close the issue; says which."""
    alerts = _alerts(run)
    number = _open_issue(run)
    if not alerts:
        if number is None:
            return "nothing was found"
        run(("gh", "issue", "close", number, "--comment", "Nothing is left of it."))
        return f"issue {number} is closed: nothing is left"
    text = page(alerts)
    if number is None:
        return run(("gh", "issue", "create", "--title", TITLE, "--body", text)).strip()
    run(("gh", "issue", "edit", number, "--body", text))
    return f"issue {number} tells of {len(alerts)} findings"


def page(alerts: Iterable[Mapping[str, Any]]) -> str:
    """A table: a finding a line, the worst first, and where it is."""
    places: dict[tuple[int, str, str, str], set[str]] = defaultdict(set)
    for alert in alerts:
        rule = alert["rule"]
        severity = str(rule.get("security_severity_level") or "low")
        rank = _ORDER.index(severity) if severity in _ORDER else len(_ORDER)
        key = (rank, severity, str(rule["id"]), str(rule.get("description", "")))
        places[key].add(str(alert["most_recent_instance"]["category"]))
    lines = [
        f"| {severity} | {name} | {_cell(what)} | {', '.join(sorted(where))} |"
        for (_, severity, name, what), where in sorted(places.items())
    ]
    head = (_INTRODUCTION, "", "| severity | finding | what | where |", "|---|---|---|---|")
    return "\n".join((*head, *_fitting(lines, ROOM - len("\n".join(head)) - 200), ""))


def _fitting(lines: Sequence[str], room: int) -> list[str]:
    """As many as there is room for, and how many are left out; the worst are the first."""
    ends = list(accumulate(len(line) + 1 for line in lines))
    kept = bisect_right(ends, room)
    if kept == len(lines):
        return list(lines)
    return [*lines[:kept], "", f"{len(lines) - kept} more are left out here: the list of code scanning has them all."]


def _alerts(run: Run) -> list[dict[str, Any]]:
    try:
        told = run(("gh", "api", "--paginate", ALERTS, "--jq", ".[] | @json"))
    except Failed as failure:
        if _NEVER.search(str(failure)):
            return []
        raise
    return [json.loads(line) for line in told.splitlines()]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())[:160]


def _open_issue(run: Run) -> str | None:
    asked = ("gh", "issue", "list", "--state", "open", "--search", f'in:title "{TITLE}"', "--json", "number,title")
    found = [each for each in json.loads(run(asked)) if each["title"] == TITLE]
    return str(found[0]["number"]) if found else None

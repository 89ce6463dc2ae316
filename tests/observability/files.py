"""What Grafana and Prometheus read, as data: dashboards with their queries, rules, alerts."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from deploy.observability.__main__ import DASHBOARDS as FOLDER
from deploy.observability.__main__ import OBJECTIVES
from tests.observability.promtool import PROMETHEUS

DASHBOARDS: dict[str, Any] = {file.stem: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))}
RULES = (OBJECTIVES, PROMETHEUS / "recording.yml", PROMETHEUS / "alerts.yml")
GROUPS: list[Any] = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
RECORDED: list[str] = [rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule]
ALERTS: dict[str, Any] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}


def expressions() -> list[str]:
    """Every PromQL expression of every panel, as Grafana asks it."""
    return [expr for _, _, expr in queries()]


def queries() -> Iterator[tuple[str, str, str]]:
    """Dashboard, panel and PromQL of each query; one scrape every ten seconds makes the rate interval `1m`."""
    for dashboard, panel, target in targets():
        if target["datasource"]["uid"] == "prometheus":
            yield dashboard, panel, target["expr"].replace("$__rate_interval", "1m")


def targets() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Dashboard, panel and query, of every data source."""
    for uid, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield uid, panel["title"], target

"""Dashboards in Grafana's JSON. Knows what a panel looks like; what it shows is said in the modules beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS = 24
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
LOKI = {"type": "loki", "uid": "loki"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One panel; `queries` maps a legend, in which `{{label}}` stands for a label's value, to PromQL.

    `unit` is Grafana's: s, reqps, ops, percentunit, bytes, short. `limit` is a red line, or turns a figure red.
    """

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    why: str = ""
    limit: float | None = None
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    states: Mapping[int, tuple[str, str]] | None = None
    """Names and colours of values that mean a state, for the kind `state-timeline`."""

    def draw(self, number: int, x: int, y: int) -> Json:
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.why,
            "datasource": LOKI if self.kind == "logs" else PROMETHEUS,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": self._options(),
            "targets": [self._target(*query, number) for number, query in enumerate(self.queries.items())],
        }

    def _defaults(self) -> Json:
        defaults: Json = {"unit": self.unit, "thresholds": _thresholds(self.limit)}
        if self.kind == "timeseries":
            style = "off" if self.limit is None else "line"
            defaults |= {"min": 0, "custom": {"fillOpacity": 8, "thresholdsStyle": {"mode": style}}}
        if self.states is not None:
            names = {str(value): {"text": text, "color": colour} for value, (text, colour) in self.states.items()}
            defaults["mappings"] = [{"type": "value", "options": names}]
        return defaults

    def _options(self) -> Json:
        if self.kind == "stat":
            return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background", "graphMode": "area"}
        if self.kind == "logs":
            return {"showTime": True, "wrapLogMessage": True, "enableLogDetails": True, "sortOrder": "Descending"}
        return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}

    def _target(self, legend: str, expr: str, number: int) -> Json:
        if self.kind == "logs":
            return {"refId": chr(ord("A") + number), "datasource": LOKI, "expr": expr, "queryType": "range"}
        return {
            "refId": chr(ord("A") + number),
            "datasource": PROMETHEUS,
            "expr": expr,
            "legendFormat": legend,
            "instant": self.kind == "stat",
            "range": self.kind != "stat",
        }


@dataclass(frozen=True)
class Dashboard:
    """`uid` is its address and the name of its file."""

    uid: str
    title: str
    panels: Sequence[Panel]

    def draw(self) -> Json:
        return {
            "uid": self.uid,
            "title": self.title,
            "tags": ["banyan"],
            "schemaVersion": 41,
            "editable": False,
            "refresh": "10s",
            "time": {"from": "now-30m", "to": "now"},
            "links": [{"type": "dashboards", "title": "Banyan", "tags": ["banyan"], "asDropdown": False}],
            "panels": [panel.draw(number, *place) for number, (panel, place) in enumerate(_placed(self.panels), 1)],
        }


def _thresholds(limit: float | None) -> Json:
    steps: list[Json] = [{"color": "green", "value": None}]
    if limit is not None:
        steps.append({"color": "red", "value": limit})
    return {"mode": "absolute", "steps": steps}


def _placed(panels: Sequence[Panel]) -> list[tuple[Panel, tuple[int, int]]]:
    """Side by side until the row is full; the next row begins below the highest of it."""
    placed: list[tuple[Panel, tuple[int, int]]] = []
    x = y = tallest = 0
    for panel in panels:
        if x + panel.width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        placed.append((panel, (x, y)))
        x, tallest = x + panel.width, max(tallest, panel.height)
    return placed

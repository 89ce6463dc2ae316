"""A history for an alert, in promtool's notation: `0+10x60` starts at 0 and grows by 10, 60 times."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """At `at`, after `history` (values by series), `alert` fires with `labels` and `summary`; without, it is silent."""

    alert: str
    history: Mapping[str, str]
    at: str
    summary: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    interval: str = "1m"

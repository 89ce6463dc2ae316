"""Writes the alerts for the Prometheus operator: `python -m deploy.kubernetes.rules`.

Kustomize cannot put a file into an object, so this does: the rules of deploy/observability/prometheus as one
PrometheusRule. Those files stay the only ones that anybody edits; a test compares.
"""

from typing import Any

import yaml

from deploy.local.place import ROOT

RULES = ROOT / "deploy" / "observability" / "prometheus"
FILE = ROOT / "deploy" / "platform" / "managed" / "monitoring" / "rules.yaml"
HEADER = "# Made by `python -m deploy.kubernetes.rules` from deploy/observability/prometheus.\n"
# As prometheus.yml has them.
SOURCES = ("objectives.yml", "recording.yml", "alerts.yml")

# The card processor is somebody else's, and in production not even here: nobody is called because it is absent.
OTHERS = ' or absent(up{job="shop", service="psp"})'

Object = dict[str, Any]


def text() -> str:
    """The whole file."""
    made = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "shop"},
        "spec": {"groups": groups()},
    }
    return HEADER + yaml.safe_dump(made, sort_keys=False, width=10_000, allow_unicode=True)


def groups() -> list[Object]:
    """All groups of all files, in the order in which Prometheus reads them."""
    read = [yaml.safe_load((RULES / name).read_text())["groups"] for name in SOURCES]
    return [_without_others(group) for groups in read for group in groups]


def _without_others(group: Object) -> Object:
    rules = [{**rule, "expr": " ".join(rule["expr"].split()).replace(OTHERS, "")} for rule in group["rules"]]
    return {**group, "rules": rules}


def main() -> None:
    FILE.write_text(text())


if __name__ == "__main__":
    main()

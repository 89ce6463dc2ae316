"""The rules that polaris, kube-score and kubescape have for manifests, as far as they apply, and our own.

They hold for what kustomize renders. Each stands beside the way to break it that its test takes.
"""

from tests.deploy.rules import (
    access,
    availability,
    containers,
    door,
    edges,
    images,
    operators,
    pods,
    probes,
    references,
    settings,
)
from tests.deploy.rules.rule import RULES, Rule

__all__ = [
    "RULES",
    "Rule",
    "access",
    "availability",
    "containers",
    "door",
    "edges",
    "images",
    "operators",
    "pods",
    "probes",
    "references",
    "settings",
]

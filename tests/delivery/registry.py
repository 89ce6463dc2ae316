"""A registry, and the programs that speak to it, as far as the pipeline uses them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from deploy.pipeline.tools import Failed

DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
NAME = "registry.example/banyan-shop/orders"


@dataclass
class FakeRegistry:
    """Keeps which tag is which digest, and each command in order; `fails` names one that does not work."""

    held: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    fails: str = ""

    def run(self, command: Sequence[str]) -> str:
        line = " ".join(command)
        self.commands.append(line)
        if self.fails and self.fails in line:
            raise Failed(f"{command[0]} ended with 1: connection refused")
        if command[:2] == ("skopeo", "inspect"):
            return self._inspect(command[-1].rpartition(":")[2])
        if command[:2] == ("skopeo", "list-tags"):
            return json.dumps({"Tags": list(self.held)}, indent=2)
        if command[:2] == ("skopeo", "copy") and "@" not in command[-1]:
            self.held[command[-1].rpartition(":")[2]] = command[-2].partition("@")[2]
        return ""

    def _inspect(self, tag: str) -> str:
        if tag not in self.held:
            raise Failed("skopeo ended with 1: reading manifest: manifest unknown")
        return f"{self.held[tag]}\n"

"""Where the shop under test runs, as far as a test must know: here under Supervisor, in containers, or in a cluster.

BANYAN_TARGET says which, `local`, `compose` or `kubernetes`; the three trials set it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

INSIDE = Path(__file__).parent / "inside"


class Target(Protocol):
    """One running shop from behind: its logs, its secrets, its stream, and the plug of each program."""

    @property
    def fragile(self) -> Sequence[str]:
        """The programs that come back when they are killed."""

    @property
    def verify(self) -> Sequence[str]:
        """The command that checks the books."""

    def run_in(self, service: str, script: str, *arguments: str) -> str:
        """What a script of `inside/` prints in the environment of a service: its addresses and its secrets."""

    def audit(self, script: str, *arguments: str) -> str:
        """The same with the auditor's."""

    def log(self, program: str) -> str:
        """What a program wrote lately."""

    def crash(self, program: str) -> None:
        """SIGKILL, and wait until it was brought back and is ready."""


def text_of(script: str) -> str:
    """A script of `inside/`."""
    return (INSIDE / f"{script}.py").read_text()


def current() -> Target:
    """The target that BANYAN_TARGET names."""
    named = os.environ.get("BANYAN_TARGET", "local")
    if named == "compose":
        from tests.system.compose_target import ComposeTarget

        return ComposeTarget()
    if named == "kubernetes":
        from tests.system.kubernetes_target import KubernetesTarget

        return KubernetesTarget()
    from tests.system.local_target import LocalTarget

    return LocalTarget.current()

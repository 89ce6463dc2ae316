"""A rule: its names in the tools that people know, what it asks, and one way to break it that it must notice."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.deploy.manifests import Manifests
from tests.deploy.rendering import OVERLAYS

Check = Callable[[Manifests], Iterable[str]]
Break = Callable[[Manifests], object]
# Of a laptop nobody expects that it goes on when half of it has failed.
LASTING = ("staging", "production")


@dataclass
class Rule:
    """What a rule finds is a list of sentences; none if all is well. `names` says where it comes from."""

    names: tuple[str, ...]
    check: Check
    overlays: tuple[str, ...]
    breaks: Break | None = None

    @property
    def title(self) -> str:
        return self.check.__name__

    def findings(self, manifests: Manifests) -> set[str]:
        return set(self.check(manifests))

    def broken_by(self, breaks: Break) -> Break:
        """Registers what breaks it; it is given a copy of an overlay."""
        self.breaks = breaks
        return breaks


RULES: list[Rule] = []


def rule(*names: str, overlays: tuple[str, ...] = OVERLAYS) -> Callable[[Check], Rule]:
    """Registers a function that yields what is wrong; `banyan` names a rule that is our own."""

    def register(check: Check) -> Rule:
        made = Rule(names, check, overlays)
        RULES.append(made)
        return made

    return register

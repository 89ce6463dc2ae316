"""A rule is asked of the repository, where it has to be kept, and of one that breaks it, where it has to notice."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.delivery.repository import Repository

Check = Callable[[Repository], Iterator[str]]
Breakage = Callable[[Repository], Repository]


@dataclass
class Rule:
    """What must be so; the check yields what is not."""

    check: Check
    breakages: list[Breakage] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.check.__name__

    def broken_by(self, breakage: Breakage) -> Breakage:
        """A change that the rule has to notice."""
        self.breakages.append(breakage)
        return breakage

    def broken_by_change(self, path: str, old: str, new: str) -> None:
        """The same by a text in the place of another."""
        self.breakages.append(lambda repository: repository.changed(path, old, new))


RULES: list[Rule] = []


def rule(check: Check) -> Rule:
    """Count it among the rules."""
    made = Rule(check)
    RULES.append(made)
    return made

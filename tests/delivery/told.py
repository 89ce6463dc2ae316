"""Answers of other people's commands, as they were recorded, for tests that ask nobody.

`recorded/` holds what Docker 26 said of an image, and buildx 0.13 of three in a registry. Their attestations were
put there by hand, in the shape that BuildKit gives them; the builder in them is an example. pip-audit 2.10 is recorded
where the index had no advisories. Of cosign and kubectl the tests hold answers of their own, after their documentation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.delivery.asking import NOT_INSTALLED, Answer, ask

RECORDED = Path(__file__).parent / "recorded"
# The commit that the recorded images name.
NAMED = "ccdb623203a8"


@dataclass
class Told:
    """Answers by how a command begins; git is asked for real, what nobody answers for is not installed."""

    answers: dict[str, Answer]
    commit: str = NAMED
    asked: list[str] = field(default_factory=list)

    def __call__(self, command: Sequence[str]) -> Answer:
        line = " ".join(command)
        self.asked.append(line)
        for beginning, answer in self.answers.items():
            if line.startswith(beginning):
                return Answer(answer.code, answer.out.replace(NAMED, self.commit), answer.err)
        return ask(command) if command[0] == "git" else Answer(NOT_INSTALLED, err=f"{command[0]} is not installed")


def recorded(name: str) -> Answer:
    """A command that went well."""
    return Answer(0, (RECORDED / f"{name}.json").read_text())

"""What each service says that it sends and hears, found by its folder."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from chassis.asyncapi import contracts

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Speaker:
    """A service with a `messaging.py`."""

    name: str
    produces: tuple[str, ...]
    consumes: Mapping[str, type[BaseModel]]

    @property
    def examples(self) -> dict[str, list[Any]]:
        return contracts(self.name)


def speakers() -> list[Speaker]:
    names = [file.parent.name for file in sorted(ROOT.glob("services/*/src/*/messaging.py"))]
    modules = [importlib.import_module(f"{name}.messaging") for name in names]
    return [Speaker(name, m.PRODUCES, m.CONSUMES) for name, m in zip(names, modules, strict=True)]


SPEAKERS = speakers()
EXAMPLES: Mapping[str, list[Any]] = {
    subject: examples for speaker in SPEAKERS for subject, examples in speaker.examples.items()
}

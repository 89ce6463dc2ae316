"""Which servers the tests use. TEST_SERVERS says `containers`, `embedded`, or `auto`: containers if they can be had."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import pytest

from tests.servers.images import Images


class Kind(StrEnum):
    """How the servers run."""

    CONTAINERS = "containers"
    EMBEDDED = "embedded"


class NotChosenError(Exception):
    """TEST_SERVERS is no kind, or names one that cannot be had; the text is one line."""


class NoContainersError(Exception):
    """No engine answers, or an image cannot be had; the text is one line."""


@dataclass(frozen=True)
class Choice:
    """What was chosen; `reason` says why it is not what was hoped for."""

    kind: Kind
    images: Images
    reason: str = ""

    def __str__(self) -> str:
        detail = self.reason if self.kind is Kind.EMBEDDED else str(self.images)
        return f"{self.kind} ({detail})" if detail else str(self.kind)


CHOICE = pytest.StashKey[Choice]()
"""Where a session's configuration keeps it."""


def choose(environ: Mapping[str, str], obtain: Callable[[Images], None]) -> Choice:
    """Choose by TEST_SERVERS. `obtain` gets the images, or raises NoContainersError; `embedded` does not call it.

    Images are fetched here, before the first test: a test's time limit would end the download. An engine without them
    is no better than no engine, so `auto` then takes the embedded servers and tells why.
    """
    wanted, images = environ.get("TEST_SERVERS") or "auto", Images.named_in(environ)
    if wanted not in ("auto", *Kind):
        raise NotChosenError(f"TEST_SERVERS={wanted} is none of auto, {', '.join(Kind)}")
    if wanted == Kind.EMBEDDED:
        return Choice(Kind.EMBEDDED, images)
    try:
        obtain(images)
    except NoContainersError as reason:
        if wanted == Kind.CONTAINERS:
            raise NotChosenError(f"TEST_SERVERS=containers: {reason}") from reason
        return Choice(Kind.EMBEDDED, images, str(reason))
    return Choice(Kind.CONTAINERS, images)

"""A key that one service shows and another knows it by, read again each time, so that it can be rotated under both.

Files of two services never change at the same moment. So whoever asks for the key may know several, one a line: the new
one is added there first, then shown, and the old one is taken out last.
"""

import secrets
from collections.abc import Callable, Mapping
from functools import partial

from chassis.settings import MountedSecrets


class SharedKey:
    """`read` returns what the file holds at this moment: one key a line."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read

    @classmethod
    def mounted(cls, settings: MountedSecrets, name: str) -> "SharedKey":
        """The secret of this name."""
        return cls(partial(settings.now, name))

    def headers(self) -> Mapping[str, str]:
        """With which a caller shows the first one."""
        return {"Authorization": f"Bearer {self._keys()[0]}"}

    def is_shown_by(self, credentials: str) -> bool:
        """Whether a caller has one of them."""
        sent = credentials.encode()
        return any(secrets.compare_digest(sent, key.encode()) for key in self._keys())

    def _keys(self) -> list[str]:
        return [line.strip() for line in self._read().splitlines() if line.strip()]

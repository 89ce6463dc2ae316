"""A request and an answer in the old shop's contract, as values: the same whoever answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class LegacyRequest:
    """`path` begins with `/legacy` and is as it was sent, `query` is without its question mark."""

    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value of a header; names are compared without case."""
        return _first(self.headers, name)


@dataclass(frozen=True)
class LegacyResponse:
    """An answer; `headers` may name one twice, as `Set-Cookie` does."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value of a header; names are compared without case."""
        return _first(self.headers, name)

    def with_header(self, name: str, value: str) -> "LegacyResponse":
        """The same answer with one header more."""
        return replace(self, headers=(*self.headers, (name, value)))


def _first(headers: Sequence[tuple[str, str]], name: str) -> str | None:
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)

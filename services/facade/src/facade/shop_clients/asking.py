"""How a new service is asked: under its breaker and a time limit, and all that goes wrong is `CannotAnswer`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from chassis.breaker import BreakerOpen
from chassis.deadlines import DeadlineExceeded
from chassis.errors import DependencyUnavailable
from chassis.http_client import HttpClient
from facade.ports import CannotAnswer

LARGEST_NUMBER = 2**63 - 1
ISBNS_AT_ONCE = 50
T = TypeVar("T")


@dataclass(frozen=True)
class _Money:
    amount: int
    currency: Literal["EUR"]


# Minor units of the one currency that the old shop knows.
Minor = Annotated[int, BeforeValidator(lambda sent: read_value(_Money, sent).amount)]


async def ask(
    http: HttpClient, method: str, path: str, *, good: int = 200, absent: Sequence[int] = (), **request: Any
) -> bytes | None:
    """The body of a good answer, None for a status of `absent`; raises `CannotAnswer`."""
    try:
        answer = await http.request(method, path, **request)
    except (DependencyUnavailable, BreakerOpen, DeadlineExceeded) as error:
        raise CannotAnswer(f"{http.name}: {error or type(error).__name__}") from error
    if answer.status_code == good:
        return answer.content
    if answer.status_code in absent:
        return None
    raise CannotAnswer(f"{http.name} answered {answer.status_code}")


def read(kind: type[T], body: bytes | None) -> T:
    """The body as a value; raises `CannotAnswer` for one that does not fit."""
    try:
        value: T = _adapter(cast("Any", kind)).validate_json(body or b"")
        return value
    except ValidationError as error:
        raise CannotAnswer(f"{error.error_count()} faults in an answer that should be {kind.__name__}") from error


def read_value(kind: type[T], value: object) -> T:
    """A part of a body."""
    read: T = _adapter(cast("Any", kind)).validate_python(value)
    return read


def in_parts(isbns: Iterable[str]) -> Iterator[list[str]]:
    """Each once, as many at a time as a service takes."""
    listed = list(dict.fromkeys(isbns))
    for start in range(0, len(listed), ISBNS_AT_ONCE):
        yield listed[start : start + ISBNS_AT_ONCE]


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)

"""A message: CloudEvents 1.0 in JSON, as it stands in an outbox, on the stream and in a handler's hands.

`type` is the subject on the stream; `subject` names the aggregate, by which order is kept; the extension
`aggregateversion` counts the aggregate's changes, `traceparent` carries the trace (CloudEvents' tracing extension).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict
from uuid_utils.compat import uuid7

from chassis import telemetry


class Heard(BaseModel):
    """Base of the models by which a consumer reads `data`: tolerant of more, and silent about values.

    pydantic's errors repeat what they complain of, and an error of a message goes to the log and to its dead letter.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class MessageMalformed(ValueError):
    """The bytes are not a CloudEvent that this system writes."""


@dataclass(frozen=True)
class Message:
    """`version` is the aggregate's, from 1; `data` holds JSON values only."""

    id: UUID
    type: str
    source: str
    subject: str
    version: int
    time: datetime
    data: Mapping[str, Any]
    traceparent: str | None = None

    @classmethod
    def new(cls, type: str, subject: str, version: int, data: Mapping[str, Any]) -> "Message":
        """A message of the moment, in the current trace; its source is the second word of its type."""
        source = f"/{type.split('.')[1]}"
        return cls(uuid7(), type, source, subject, version, datetime.now(UTC), data, telemetry.traceparent())

    def encode(self) -> bytes:
        """CloudEvents JSON, structured mode."""
        envelope = {
            "specversion": "1.0",
            "id": self.id,
            "type": self.type,
            "source": self.source,
            "subject": self.subject,
            "time": self.time,
            "datacontenttype": "application/json",
            "aggregateversion": self.version,
            "data": self.data,
        }
        if self.traceparent is not None:
            envelope["traceparent"] = self.traceparent
        return orjson.dumps(envelope, default=_plain)

    @classmethod
    def decode(cls, payload: bytes) -> "Message":
        """Raises `MessageMalformed` when a needed attribute is missing or of another type; unknown ones are ignored."""
        try:
            raw = orjson.loads(payload)
            return cls(
                UUID(raw["id"]),
                str(raw["type"]),
                str(raw["source"]),
                str(raw["subject"]),
                int(raw.get("aggregateversion", 0)),
                datetime.fromisoformat(raw["time"]),
                dict(raw["data"]),
                trace if isinstance(trace := raw.get("traceparent"), str) else None,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MessageMalformed(f"not a CloudEvent of this system: {error!r}") from error


def _plain(value: object) -> str:
    # asyncpg returns a subclass of UUID, and orjson takes no subclasses.
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"not a JSON value: {type(value).__name__}")

"""Composition root of the sample service; also runs as a process, for tests that send signals."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI
from fastapi.responses import StreamingResponse
from opentelemetry.sdk.trace import SpanProcessor
from pydantic import BaseModel, ConfigDict, Field

from chassis import asyncapi, service
from chassis.bus import Bus
from chassis.consumer import Consumer
from chassis.errors import Problem
from chassis.idempotency import IdempotencyKey
from chassis.inbox import Inbox
from chassis.lifecycle import Lifecycle, Part, serve
from chassis.messages import Message
from chassis.outbox import Outbox
from chassis.relay import Relay
from chassis.settings import BusSettings, DatabaseSettings, ServiceSettings, load
from chassis.storage import Database
from chassis.telemetry import Telemetry
from sample.storage import inbox, note, outbox


class Settings(ServiceSettings, DatabaseSettings, BusSettings):
    """From the environment and mounted secrets."""

    service_name: str = "sample"


class NoteAbsent(Exception):
    """There is no such note."""


PROBLEMS: Mapping[type[Exception], Problem] = {NoteAbsent: Problem(404, "not-found", "There is no such note")}


class NewNote(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=1000)
    weight: int = Field(default=1, ge=1)


class Notes:
    """The routes' and the consumer's work; `running` counts the requests under way, `begun` all of them."""

    def __init__(self, database: Database, subject: str) -> None:
        self._database = database
        self._subject = subject
        self._outbox = Outbox(outbox)
        self._inbox = Inbox(inbox)
        self.begun = 0
        self.heard: list[Message] = []

    async def add(self, text: str, aggregate: str = "notes") -> Message:
        message = Message.new(self._subject, aggregate, 1, {"text": text})
        async with self._database.transaction() as connection:
            await connection.execute(sa.insert(note).values(text=text))
            await self._outbox.add(connection, message)
        return message

    async def hear(self, message: Message) -> None:
        async with self._database.transaction() as connection:
            await self._inbox.accept(connection, message.id)
            await connection.execute(sa.insert(note).values(text=f"heard {message.data['text']}"))
        self.heard.append(message)


def router(notes: Notes) -> APIRouter:
    routes = APIRouter()

    @routes.post("/notes", status_code=201)
    async def add(new: NewNote) -> dict[str, str]:
        notes.begun += 1
        return {"id": str((await notes.add(new.text)).id)}

    @routes.get("/notes/{number}")
    async def read(number: int) -> None:
        raise NoteAbsent(f"There is no note {number}")

    @routes.post("/keyed")
    async def keyed(idempotency_key: IdempotencyKey) -> str:
        return idempotency_key

    @routes.get("/bug")
    async def bug() -> None:
        raise RuntimeError("the secret is swordfish")

    @routes.get("/slow")
    async def slow(seconds: float = 1) -> dict[str, str]:
        notes.begun += 1
        sys.stderr.write("slow: begun\n")
        sys.stderr.flush()
        await asyncio.sleep(seconds)
        return {"slow": "answered"}

    @routes.get("/stream")
    async def stream(seconds: float = 30) -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.sleep(seconds)
            yield b"last"

        return StreamingResponse(chunks())

    return routes


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    bus: Bus | None = None,
    processor: SpanProcessor | None = None,
    parts: Sequence[Part] = (),
) -> tuple[FastAPI, Lifecycle, Notes]:
    """The application, its lifecycle, and the object that works."""
    database = database or Database(settings)
    bus = bus or Bus(settings, settings.service_name)
    subject = f"{settings.namespace}.sample.noted.v1"
    notes = Notes(database, subject)
    consumer = Consumer(bus, settings.service_name, {subject: notes.hear})
    relay = Relay(database, outbox, bus)
    lifecycle = Lifecycle([Telemetry(settings, processor), database, bus, consumer, relay, *parts], [consumer])
    messages = asyncapi.document(settings, [subject], {})
    app = service.create_app(settings, lifecycle, database, [router(notes)], PROBLEMS, messages=messages)
    return app, lifecycle, notes


def main() -> None:
    """Entry point of the process."""
    settings = load(Settings)

    def create() -> tuple[FastAPI, Lifecycle]:
        app, lifecycle, _ = create_app(settings)
        return app, lifecycle

    serve(create, settings)


if __name__ == "__main__":
    main()

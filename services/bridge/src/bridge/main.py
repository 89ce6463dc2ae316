"""Composition root of bridge: settings in, application out."""

from fastapi import FastAPI

from bridge import api, messaging, observe
from bridge.application import WriteBack
from bridge.capture import Capture
from bridge.operations import Operations
from bridge.publish import Publisher
from bridge.sealing import Sealer
from bridge.settings import Settings, decode_key
from bridge.storage.writeback import SqlStorage
from bridge.stream import Progress
from bridge.translate import Translator
from chassis import asyncapi, relay, service
from chassis.bus import Bus
from chassis.consumer import Consumer
from chassis.lifecycle import Lifecycle, serve
from chassis.periodic import Periodic
from chassis.settings import load
from chassis.shared_key import SharedKey
from chassis.storage import Database
from chassis.telemetry import Telemetry

RETENTION_SECONDS = 600.0


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    bus: Bus | None = None,
    publish_to: relay.Publisher | None = None,
) -> tuple[FastAPI, Lifecycle]:
    """The application and its lifecycle; every dependency can be replaced."""
    database = database or Database(settings)
    bus = bus or Bus(settings, settings.service_name)
    capture = Capture(database)
    publisher = Publisher(database, capture, Translator(Sealer(decode_key(settings.hash_key))), publish_to or bus)
    storage = SqlStorage(database)
    consumer = Consumer(bus, settings.service_name, messaging.handlers(WriteBack(storage)))
    operations = Operations(database, Progress(bus), consumer.name, publisher.wake)
    lifecycle = Lifecycle(
        [
            Telemetry(settings),
            database,
            bus,
            capture,
            consumer,
            Periodic("retention", RETENTION_SECONDS, storage.forget_old, finish=False),
            *observe.measurements(operations),
            publisher,
        ],
        consuming=[consumer],
    )
    routes = api.router(operations, SharedKey.mounted(settings, "bridge_key"))
    messages = asyncapi.document(settings, messaging.PRODUCES, messaging.CONSUMES)
    started = [capture.installed]
    app = service.create_app(settings, lifecycle, database, [routes], api.PROBLEMS, messages=messages, started=started)
    return app, lifecycle


def main() -> None:
    """Entry point of the process."""
    settings = load(Settings)
    serve(lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()

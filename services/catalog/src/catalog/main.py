"""Composition root of catalog: settings in, application out."""

from fastapi import FastAPI

from catalog import api, messaging, storage
from catalog.application import Catalog
from catalog.settings import Settings
from chassis import asyncapi, auth, jwks, service
from chassis.bus import Bus
from chassis.consumer import Consumer
from chassis.lifecycle import Lifecycle, serve
from chassis.periodic import Periodic
from chassis.relay import Publisher, Relay
from chassis.settings import load
from chassis.storage import Database
from chassis.telemetry import Telemetry

FORGET_SECONDS = 3600.0


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    bus: Bus | None = None,
    publisher: Publisher | None = None,
    verifier: auth.TokenVerifier | None = None,
) -> tuple[FastAPI, Lifecycle]:
    """The application and the parts that it runs on."""
    database = database or Database(settings)
    bus = bus or Bus(settings, settings.service_name)
    verifier = verifier or auth.TokenVerifier(jwks.keys_from(settings.jwks_url), settings)
    relay = Relay(database, storage.outbox, publisher or bus)
    books = storage.SqlStorage(database, messaging.to_message)
    catalog = Catalog(books)
    consumer = Consumer(bus, settings.service_name, messaging.handlers(catalog))
    retention = Periodic("retention", FORGET_SECONDS, books.forget_old, finish=False)
    lifecycle = Lifecycle([Telemetry(settings), database, bus, consumer, relay, retention], consuming=[consumer])
    routes = api.router(catalog, auth.operator(verifier))
    messages = asyncapi.document(settings, messaging.PRODUCES, messaging.CONSUMES)
    app = service.create_app(settings, lifecycle, database, [routes], api.PROBLEMS, messages=messages)
    return app, lifecycle


def main() -> None:
    """Serve until told to stop."""
    settings = load(Settings)
    serve(lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()

"""Composition root of inventory: settings in, application out."""

from datetime import timedelta

from fastapi import FastAPI

from chassis import asyncapi, jwks, service
from chassis.auth import TokenVerifier
from chassis.bus import Bus
from chassis.consumer import Consumer
from chassis.idempotency import IdempotencyKeys
from chassis.lifecycle import Lifecycle, serve
from chassis.periodic import Periodic
from chassis.relay import Relay
from chassis.settings import load
from chassis.storage import Database
from chassis.telemetry import Telemetry
from inventory import api, messaging
from inventory.application import Inventory
from inventory.settings import Settings
from inventory.storage import SqlStorage, idempotency_key, outbox

FORGET_SECONDS = 3600.0


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    bus: Bus | None = None,
    verifier: TokenVerifier | None = None,
) -> tuple[FastAPI, Lifecycle]:
    """The application and its parts in the order of their start."""
    database = database or Database(settings)
    bus = bus or Bus(settings, settings.service_name)
    verifier = verifier or TokenVerifier(jwks.keys_from(settings.jwks_url), settings)
    keys = IdempotencyKeys(database, idempotency_key)
    storage = SqlStorage(database, keys, messaging.to_message)
    inventory = Inventory(storage, timedelta(seconds=settings.reservation_seconds))
    consumer = Consumer(bus, settings.service_name, messaging.handlers(inventory))
    lifecycle = Lifecycle(
        [
            Telemetry(settings),
            database,
            bus,
            consumer,
            Relay(database, outbox, bus),
            Periodic("sweeper", settings.sweep_seconds, inventory.release_expired),
            Periodic("retention", FORGET_SECONDS, storage.forget_old, finish=False),
        ],
        consuming=[consumer],
    )
    routes = api.router(inventory, keys, verifier)
    messages = asyncapi.document(settings, messaging.PRODUCES, messaging.CONSUMES)
    app = service.create_app(settings, lifecycle, database, [routes], api.PROBLEMS, messages=messages)
    return app, lifecycle


def main() -> None:
    """Entry point of the process."""
    settings = load(Settings)
    serve(lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()

"""Composition root of orders: settings in, application out."""

from fastapi import FastAPI
from uuid_utils.compat import uuid7

from chassis import asyncapi, jwks, service
from chassis.auth import TokenVerifier, authenticated
from chassis.breaker import Breaker
from chassis.bus import Bus
from chassis.consumer import Consumer
from chassis.http_client import HttpClient
from chassis.lifecycle import Lifecycle, serve
from chassis.periodic import Periodic
from chassis.relay import Relay
from chassis.retries import RetryPolicy
from chassis.settings import load
from chassis.storage import Database
from chassis.telemetry import Telemetry
from orders import api, messaging, observe
from orders.application import Catalog, Orders
from orders.clients import HttpCatalog
from orders.settings import Settings
from orders.storage import SqlStorage
from orders.storage.tables import outbox

RETENTION_SECONDS = 600.0


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    bus: Bus | None = None,
    catalog: Catalog | None = None,
    verifier: TokenVerifier | None = None,
) -> tuple[FastAPI, Lifecycle]:
    """The application and its lifecycle; every dependency can be replaced."""
    database = database or Database(settings)
    bus = bus or Bus(settings, settings.service_name)
    http = HttpClient(
        "catalog",
        settings.catalog_url,
        timeout=settings.catalog_timeout,
        breaker=Breaker("catalog"),
        retries=RetryPolicy(attempts=2),
    )
    storage = SqlStorage(database, messaging.to_message)
    orders = Orders(storage, catalog or HttpCatalog(http), new_id=uuid7, on_move=observe.moved)
    verifier = verifier or TokenVerifier(jwks.keys_from(settings.jwks_url), settings)
    consumer = Consumer(bus, settings.service_name, messaging.handlers(orders))
    overdue = Periodic("overdue-sagas", settings.saga_poll_seconds, orders.resume_overdue)
    lifecycle = Lifecycle(
        [
            Telemetry(settings),
            database,
            bus,
            http,
            consumer,
            overdue,
            observe.observation(storage),
            Periodic("retention", RETENTION_SECONDS, storage.forget_old, finish=False),
            Relay(database, outbox, bus),
        ],
        consuming=[consumer, overdue],
    )
    routes = api.router(orders, storage.keys, authenticated(verifier))
    messages = asyncapi.document(settings, messaging.PRODUCES, messaging.CONSUMES)
    app = service.create_app(settings, lifecycle, database, [routes], api.PROBLEMS, messages=messages)
    return app, lifecycle


def main() -> None:
    """Entry point of the process."""
    settings = load(Settings)
    serve(lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()

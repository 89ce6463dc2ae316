"""Composition root of payments: settings in, application out."""

from datetime import timedelta

from fastapi import FastAPI

from chassis import asyncapi, jwks, service
from chassis.auth import TokenVerifier, authenticated
from chassis.breaker import Breaker
from chassis.bus import Bus
from chassis.consumer import HANDLER_TIMEOUT, Consumer
from chassis.http_client import HttpClient
from chassis.lifecycle import Lifecycle, serve
from chassis.periodic import Periodic
from chassis.relay import Relay
from chassis.settings import load
from chassis.shared_key import SharedKey
from chassis.storage import Database
from chassis.telemetry import Telemetry
from payments import api, messaging
from payments.application import Payments
from payments.clients import HttpProcessor
from payments.settings import Settings
from payments.storage import SqlStorage, outbox

RETENTION_SECONDS = 600.0


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    bus: Bus | None = None,
    psp: HttpClient | None = None,
    verifier: TokenVerifier | None = None,
) -> tuple[FastAPI, Lifecycle]:
    """The application and its lifecycle; every dependency can be replaced."""
    database = database or Database(settings)
    bus = bus or Bus(settings, settings.service_name)
    psp = psp or psp_client(settings)
    storage = SqlStorage(database, messaging.to_message)
    settle, at_work = timedelta(seconds=settings.psp_settle_seconds), timedelta(seconds=HANDLER_TIMEOUT)
    payments = Payments(storage, HttpProcessor(psp), settle, at_work)
    verifier = verifier or TokenVerifier(jwks.keys_from(settings.jwks_url), settings)
    consumer = Consumer(bus, settings.service_name, messaging.handlers(payments))
    lifecycle = Lifecycle(
        [
            Telemetry(settings),
            database,
            bus,
            psp,
            consumer,
            Periodic("retention", RETENTION_SECONDS, storage.forget_old, finish=False),
            Relay(database, outbox, bus),
        ],
        consuming=[consumer],
    )
    routes = api.router(payments, authenticated(verifier))
    messages = asyncapi.document(settings, messaging.PRODUCES, messaging.CONSUMES)
    app = service.create_app(settings, lifecycle, database, [routes], api.PROBLEMS, messages=messages)
    return app, lifecycle


def psp_client(settings: Settings) -> HttpClient:
    """The card processor's client: its own breaker, its own time limit, its own key."""
    key = SharedKey.mounted(settings, "psp_api_key")
    return HttpClient(
        "psp", settings.psp_url, timeout=settings.psp_timeout, breaker=Breaker("psp"), headers=key.headers
    )


def main() -> None:
    """Entry point of the process."""
    settings = load(Settings)
    serve(lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()

"""Composition root of identity: settings in, application out."""

from functools import partial

from fastapi import FastAPI

from chassis import asyncapi, service
from chassis.auth import TokenVerifier, authenticated, operator
from chassis.bus import Bus
from chassis.consumer import Consumer
from chassis.lifecycle import Lifecycle, serve
from chassis.periodic import Periodic
from chassis.settings import load
from chassis.storage import Database
from chassis.telemetry import Telemetry
from identity import api, exchange, messaging
from identity.application import Accounts, Clock, Issuer, SigningKeys, utc_now
from identity.bootstrap import Bootstrap, first_things
from identity.domain import LoginLimits
from identity.keys import JwtSigner, Vault
from identity.passwords import Argon2Passwords, give_memory_back
from identity.sealing import Unsealer
from identity.settings import Settings, key_bytes
from identity.storage import SqlStorage

ROTATION_CHECK_SECONDS = 60.0
RETENTION_SECONDS = 600.0


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    bus: Bus | None = None,
    passwords: Argon2Passwords | None = None,
    limits: LoginLimits | None = None,
    clock: Clock = utc_now,
) -> tuple[FastAPI, Lifecycle]:
    """The application and its lifecycle; every dependency can be replaced."""
    database, bus = database or Database(settings), bus or Bus(settings, settings.service_name)
    passwords = passwords or Argon2Passwords()
    storage = SqlStorage(database)
    vault = Vault(key_bytes(settings.key_encryption_key))
    accounts = Accounts(storage, passwords, limits or LoginLimits(), clock)
    keys = SigningKeys(storage, JwtSigner(vault), Issuer(settings.token_issuer, settings.token_audience), clock)
    verifier = TokenVerifier(keys.published, settings, clock=lambda: clock().timestamp())
    bootstrap = Bootstrap(partial(first_things, keys, accounts, settings))
    unseal = Unsealer(key_bytes(settings.hash_key)).open
    consumer = Consumer(bus, settings.service_name, messaging.handlers(accounts, unseal))
    lifecycle = Lifecycle(
        [
            Telemetry(settings),
            database,
            bus,
            passwords,
            bootstrap,
            consumer,
            Periodic("key-rotation", ROTATION_CHECK_SECONDS, partial(keys.rotate_if_due, settings.rotate_after)),
            Periodic("retention", RETENTION_SECONDS, storage.forget_old, finish=False),
        ],
        consuming=[consumer],
    )
    callers = authenticated(verifier), operator(verifier)
    routers = [api.router(accounts, keys, storage.idempotency, vault.fingerprint, *callers)]
    routers += exchange.routers(accounts, keys, settings)
    messages = asyncapi.document(settings, messaging.PRODUCES, messaging.CONSUMES)
    ready = [bootstrap.bootstrapped]
    return service.create_app(settings, lifecycle, database, routers, api.PROBLEMS, ready, messages), lifecycle


def main() -> None:
    """Entry point of the process."""
    settings = load(Settings)
    give_memory_back()
    serve(lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()

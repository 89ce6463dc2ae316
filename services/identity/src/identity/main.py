"""Composition root of identity: settings in, application out."""

from fastapi import FastAPI

import chassis.service
from chassis.auth import TokenVerifier, authenticated, operator
from chassis.lifecycle import Lifecycle, serve
from chassis.periodic import Periodic
from chassis.settings import load
from chassis.storage import Database
from chassis.telemetry import Telemetry
from identity import api
from identity.application import Accounts, Clock, Issuer, SigningKeys, utc_now
from identity.bootstrap import Bootstrap
from identity.domain import LoginLimits
from identity.keys import JwtSigner, Vault
from identity.passwords import Argon2Passwords, give_memory_back
from identity.settings import Settings, key_bytes
from identity.storage import SqlStorage

ROTATION_CHECK_SECONDS = 60.0
RETENTION_SECONDS = 600.0


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    passwords: Argon2Passwords | None = None,
    limits: LoginLimits | None = None,
    clock: Clock = utc_now,
) -> tuple[FastAPI, Lifecycle]:
    """The application and its lifecycle; every dependency can be replaced."""
    database = database or Database(settings)
    passwords = passwords or Argon2Passwords()
    storage = SqlStorage(database)
    vault = Vault(key_bytes(settings.key_encryption_key))
    accounts = Accounts(storage, passwords, limits or LoginLimits(), clock)
    keys = SigningKeys(storage, JwtSigner(vault), Issuer(settings.token_issuer, settings.token_audience), clock)
    verifier = TokenVerifier(keys.published, settings, clock=lambda: clock().timestamp())

    async def rotate_if_due() -> None:
        await keys.rotate_if_due(settings.rotate_after)

    async def first_things() -> None:
        await rotate_if_due()
        await accounts.ensure_operator(settings.operator_email, settings.operator_password.get_secret_value())

    bootstrap = Bootstrap(first_things)
    lifecycle = Lifecycle(
        [
            Telemetry(settings),
            database,
            passwords,
            bootstrap,
            Periodic("key-rotation", ROTATION_CHECK_SECONDS, rotate_if_due),
            Periodic("retention", RETENTION_SECONDS, storage.forget_old, finish=False),
        ]
    )
    routes = api.router(
        accounts, keys, storage.idempotency, vault.fingerprint, authenticated(verifier), operator(verifier)
    )
    ready = [bootstrap.bootstrapped]
    return chassis.service.create_app(settings, lifecycle, database, [routes], api.PROBLEMS, ready), lifecycle


def main() -> None:
    """Entry point of the process."""
    settings = load(Settings)
    give_memory_back()
    serve(lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()

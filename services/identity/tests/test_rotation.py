"""Signing keys over their life: made once, rotated, published as long as a token may name them, sealed at rest."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from joserfc.jws import extract_compact

from chassis.auth import TokenInvalid
from chassis.storage import Database
from identity.application import Issuer, SigningKeys
from identity.domain import ACTIVATION_DELAY, CLOCK_SKEW, TOKEN_LIFE
from identity.keys import JwtSigner, Vault
from identity.settings import Settings, key_bytes
from identity.storage import SqlStorage

CUSTOMER = {"email": "ada@example.org", "name": "Ada Lovelace", "password": "correct horse battery"}
OPERATOR = {"email": "operator@banyan.example", "password": "a long operator password"}


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings)
    yield database
    await database.stop()


def kid_of(token: str) -> str:
    return str(extract_compact(token.encode()).headers()["kid"])


async def test_after_a_rotation_two_keys_are_valid_and_tokens_of_the_old_one_are_too(site: Any) -> None:
    before = await site.token(**OPERATOR)
    assert (await site.rotate()).status_code == 201
    assert len(await site.kids()) == 2
    await site.verify_elsewhere(before)

    site.clock.advance(seconds=ACTIVATION_DELAY.total_seconds())
    after = await site.token(**OPERATOR)
    assert kid_of(after) != kid_of(before)
    await site.verify_elsewhere(before)
    await site.verify_elsewhere(after)


async def test_a_new_key_is_published_before_it_signs(site: Any) -> None:
    made = (await site.rotate()).json()
    assert made["kid"] in await site.kids()
    assert kid_of(await site.token(**OPERATOR)) != made["kid"]
    site.clock.advance(seconds=ACTIVATION_DELAY.total_seconds())
    assert kid_of(await site.token(**OPERATOR)) == made["kid"]


async def test_asking_again_while_the_new_key_waits_makes_no_other(site: Any) -> None:
    first, second = await site.rotate(), await site.rotate()
    assert (second.status_code, second.json()) == (201, first.json())
    assert len(await site.kids()) == 2


async def test_the_oldest_key_goes_when_its_last_token_has_expired(
    site: Any, database: Database, settings: Settings
) -> None:
    keys = SigningKeys(SqlStorage(database), signer(settings), Issuer("i", "a"), site.clock)
    (first,) = await site.kids()
    for _ in range(3):
        await keys.rotate()
        site.clock.advance(seconds=(ACTIVATION_DELAY + TOKEN_LIFE + CLOCK_SKEW).total_seconds())
    assert first not in await site.kids()
    assert len(await site.kids()) == 2


async def test_a_token_dies_with_its_time_though_its_key_lives_on(site: Any) -> None:
    token = await site.token(**OPERATOR)
    site.clock.advance(seconds=TOKEN_LIFE.total_seconds() + 1)
    with pytest.raises(TokenInvalid):
        await site.verify_elsewhere(token)


async def test_only_an_operator_rotates(site: Any) -> None:
    await site.register()
    assert (await site.client.post("/api/identity/keys")).status_code == 401
    headers = {"Authorization": f"Bearer {await site.token()}"}
    assert (await site.client.post("/api/identity/keys", headers=headers)).status_code == 403
    assert len(await site.kids()) == 1


async def test_the_published_keys_may_be_kept_for_a_minute_and_hold_nothing_private(site: Any) -> None:
    answer = await site.client.get("/api/identity/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=60"
    (key,) = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "Ed25519")


async def test_replicas_that_start_together_make_one_key(settings: Settings) -> None:
    databases = [Database(settings) for _ in range(8)]
    replicas = [signing_keys(database, settings) for database in databases]
    await asyncio.gather(*(replica.rotate_if_due(timedelta(days=30)) for replica in replicas))
    assert len((await SqlStorage(databases[0]).keys()).keys) == 1
    for database in databases:
        await database.stop()


async def test_replicas_that_rotate_together_make_one_key(site: Any, database: Database, settings: Settings) -> None:
    keys = signing_keys(database, settings)
    made = await asyncio.gather(*(keys.rotate() for _ in range(5)))
    assert len({key.kid for key in made}) == 1
    assert len(await site.kids()) == 2


async def test_a_key_that_is_old_enough_is_rotated_without_being_asked(
    site: Any, database: Database, settings: Settings
) -> None:
    keys = SigningKeys(SqlStorage(database), signer(settings), Issuer("i", "a"), site.clock)
    site.clock.advance(days=29)
    await keys.rotate_if_due(settings.rotate_after)
    assert len(await site.kids()) == 1
    site.clock.advance(days=1)
    await keys.rotate_if_due(settings.rotate_after)
    assert len(await site.kids()) == 2


async def test_the_database_alone_cannot_sign(site: Any, database: Database, settings: Settings) -> None:
    stored = (await SqlStorage(database).keys()).keys[0]
    private = Vault(key_bytes(settings.key_encryption_key)).open(stored.sealed, stored.kid)
    tables = await everything(database)
    assert stored.kid in tables
    assert private.hex() not in tables


async def test_nothing_in_the_database_lets_a_password_be_guessed_fast(site: Any, database: Database) -> None:
    await site.register("key-1")
    await site.log_in("somebody@example.org", "a wrong password")
    tables = await everything(database)
    assert "$argon2id$" in tables
    for secret in (CUSTOMER["password"], "a wrong password", "somebody@example.org"):
        assert secret not in tables
    guess = orjson.dumps([CUSTOMER["email"], CUSTOMER["name"], CUSTOMER["password"]])
    assert sha256(guess).hexdigest() not in tables


async def test_under_another_key_encryption_key_nothing_is_signed_and_nothing_is_replaced(
    site: Any, database: Database, settings: Settings
) -> None:
    stranger = SigningKeys(SqlStorage(database), JwtSigner(Vault(b"C" * 32)), Issuer("i", "a"))
    await stranger.rotate_if_due(settings.rotate_after)
    assert len(await site.kids()) == 1
    assert (await site.log_in(**OPERATOR)).status_code == 200


async def everything(database: Database) -> str:
    """All rows of all tables as text."""
    async with database.autocommit() as connection:
        names = await connection.scalars(sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        query = sa.text(" UNION ALL ".join(f"SELECT t::text FROM {name} t" for name in names))  # noqa: S608 - our own
        return "\n".join(await connection.scalars(query))


def signer(settings: Settings) -> JwtSigner:
    return JwtSigner(Vault(key_bytes(settings.key_encryption_key)))


def signing_keys(database: Database, settings: Settings) -> SigningKeys:
    return SigningKeys(SqlStorage(database), signer(settings), Issuer("i", "a"))

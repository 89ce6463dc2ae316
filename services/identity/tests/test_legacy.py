"""Customers of the old shop: they log in with what they know from there, and keep what is newer here."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from joserfc import jwe
from joserfc.jwk import OctKey
from pydantic import SecretStr

from chassis.bus import Bus
from chassis.inbox import AlreadyHandled
from chassis.lifecycle import Lifecycle
from chassis.messages import Message
from chassis.storage import Database
from identity.application import Accounts
from identity.domain import LEGACY_HASH, Account
from identity.main import create_app
from identity.messaging import LEGACY_CUSTOMER_CHANGED, handlers
from identity.passwords import Argon2Passwords
from identity.sealing import SealBroken, Unsealer
from identity.settings import Settings, key_bytes
from identity.storage import SqlStorage

GRACE, OTHER = UUID(int=1), UUID(int=2)
EMAIL, PASSWORD = "grace@example.org", "cobol"
EXCHANGE_KEY = "the key that the facade has"


def sealed(password: str, key: bytes = b"b" * 32) -> str:
    """As bridge seals the old shop's hash."""
    salt = "0badcafe"
    digest = hashlib.sha1((salt + password).encode()).hexdigest()  # noqa: S324 - what that shop does
    return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, f"{salt}${digest}", OctKey.import_key(key))


def told(version: int, customer: UUID = GRACE, *, number: int = 3, email: str = EMAIL, **changes: Any) -> Message:
    """What bridge says of a customer of the old shop."""
    data = {
        "customer_id": str(customer),
        "number": number,
        "email": email,
        "name": "Grace",
        "password_sealed": sealed(PASSWORD),
        "registered_at": "2009-11-24T16:05:33+00:00",
        "version": version,
        **changes,
    }
    return Message.new(LEGACY_CUSTOMER_CHANGED, str(customer), version, data)


@dataclass
class Registry:
    """The handlers over the database of the running service."""

    storage: SqlStorage
    accounts: Accounts
    unsealer: Unsealer

    async def hear(self, *messages: Message) -> None:
        for message in messages:
            await handlers(self.accounts, self.unsealer.open)[message.type](message)

    async def account(self, customer: UUID = GRACE) -> Account:
        return await self.accounts.profile(customer)


@pytest.fixture
async def registry(settings: Settings) -> AsyncIterator[Registry]:
    database = Database(settings)
    storage = SqlStorage(database)
    yield Registry(storage, Accounts(storage, Argon2Passwords()), Unsealer(key_bytes(settings.hash_key)))
    await database.stop()


async def test_a_customer_of_the_old_shop_logs_in_and_the_hash_is_replaced(site: Any, registry: Registry) -> None:
    await registry.hear(told(40))
    assert (await registry.account()).password_hash.startswith(LEGACY_HASH)
    assert (await site.log_in(EMAIL, "fortran")).status_code == 401
    assert (await site.log_in(EMAIL, PASSWORD)).status_code == 200
    assert "$argon2id$v=19$m=19456" in (await registry.account()).password_hash
    assert (await site.log_in(EMAIL, PASSWORD)).status_code == 200
    headers = {"Authorization": f"Bearer {await site.token(EMAIL, PASSWORD)}"}
    me = await site.client.get("/api/identity/me", headers=headers)
    assert me.json() == {"id": str(GRACE), "number": 3, "email": EMAIL, "name": "Grace", "roles": ["customer"]}


@pytest.mark.parametrize("order", list(itertools.permutations((41, 42, 43))))
async def test_in_whatever_order_changes_come_the_newest_stays(registry: Registry, order: tuple[int, ...]) -> None:
    await registry.hear(*(told(version, name=f"Grace {version}") for version in order))
    account = await registry.account()
    assert (account.name, account.legacy_version) == ("Grace 43", 43)


async def test_many_first_changes_at_once_leave_the_newest(registry: Registry) -> None:
    versions = [5, 9, 3, 8, 2, 7, 4, 6]
    await asyncio.gather(*(registry.hear(told(version, name=f"Grace {version}")) for version in versions))
    assert (await registry.account()).name == "Grace 9"


async def test_the_same_message_takes_effect_once(registry: Registry) -> None:
    message = told(40)
    await registry.hear(message)
    with pytest.raises(AlreadyHandled):
        await registry.hear(message)


async def test_a_hash_that_was_upgraded_is_not_overwritten_by_what_the_old_shop_tells(
    site: Any, registry: Registry
) -> None:
    await registry.hear(told(40))
    await site.log_in(EMAIL, PASSWORD)
    upgraded = (await registry.account()).password_hash
    await registry.hear(told(41, name="Grace Hopper", password_sealed=sealed("something else")))
    account = await registry.account()
    assert (account.password_hash, account.name) == (upgraded, "Grace Hopper")


async def test_a_hash_that_was_not_upgraded_follows_the_old_shop(site: Any, registry: Registry) -> None:
    await registry.hear(told(40), told(41, password_sealed=sealed("something else")))
    assert (await site.log_in(EMAIL, "something else")).status_code == 200


async def test_an_account_that_was_made_here_does_not_follow_its_stand_in_there(site: Any, registry: Registry) -> None:
    registered = (await site.register()).json()
    stand_in = f"customer-{registered['id']}@shop.invalid"
    before = await registry.account(UUID(registered["id"]))
    await registry.hear(told(40, UUID(registered["id"]), number=9, email=stand_in))
    assert await registry.account(UUID(registered["id"])) == before


async def test_an_address_that_an_account_here_has_stays_with_it(site: Any, registry: Registry) -> None:
    await site.register(email=EMAIL, password="somebody else's")
    await registry.hear(told(40), told(41, name="Grace Hopper"))
    account = await registry.account()
    assert (account.email, account.number, account.name) == (f"{GRACE}@legacy.invalid", 3, "Grace Hopper")
    assert (await site.log_in(EMAIL, PASSWORD)).status_code == 401
    assert (await site.log_in(EMAIL, "somebody else's")).status_code == 200


@pytest.mark.parametrize("first", ["who leaves", "who takes"])
async def test_an_address_that_changed_hands_in_the_old_shop_does_so_here_in_any_order(
    registry: Registry, first: str
) -> None:
    await registry.hear(told(40), told(41, OTHER, number=4, email="other@example.org"))
    leaves, takes = told(50, email="new@example.org"), told(51, OTHER, number=4)
    await registry.hear(*((leaves, takes) if first == "who leaves" else (takes, leaves)))
    assert (await registry.account()).email == "new@example.org"
    assert (await registry.account(OTHER)).email == EMAIL


async def test_two_who_swap_addresses_have_each_the_others(registry: Registry) -> None:
    await registry.hear(told(40, email="a@example.org"), told(41, OTHER, number=4, email="b@example.org"))
    await registry.hear(told(50, email="b@example.org"), told(51, OTHER, number=4, email="a@example.org"))
    assert (await registry.account()).email == "b@example.org"
    assert (await registry.account(OTHER)).email == "a@example.org"


async def test_what_is_late_takes_no_address_away(registry: Registry) -> None:
    await registry.hear(told(60, OTHER, number=4), told(40))
    assert (await registry.account(OTHER)).email == EMAIL
    await registry.hear(told(50, email="new@example.org"))
    assert (await registry.account()).email == "new@example.org"


@pytest.mark.parametrize("email", ["Grace@Example.ORG", "no address", "gräce@example.org", f"{'a' * 250}@example.org"])
async def test_an_address_is_kept_in_one_spelling_and_one_that_nobody_could_type_here_is_not(
    registry: Registry, email: str
) -> None:
    await registry.hear(told(40, email=email))
    assert (await registry.account()).email in (EMAIL, f"{GRACE}@legacy.invalid")


async def test_what_was_sealed_with_another_key_is_not_opened_and_not_told(registry: Registry) -> None:
    for broken in (sealed(PASSWORD, b"x" * 32), "garbage", ""):
        with pytest.raises(SealBroken) as error:
            await registry.hear(told(40, password_sealed=broken))
        assert error.value.__cause__ is None
    assert await registry.storage.account(GRACE) is None


@dataclass
class Door:
    """The service with an exchange."""

    client: httpx.AsyncClient

    async def exchange(self, number: Any, key: str = EXCHANGE_KEY) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"}
        body = {"customer_number": number}
        return await self.client.post("/api/identity/exchanges", json=body, headers=headers)


@pytest.fixture
async def door(settings: Settings, site: Any) -> AsyncIterator[Door]:
    """A second replica, beside the site, that has the key."""
    app, lifecycle = create_app(settings.model_copy(update={"exchange_key": SecretStr(EXCHANGE_KEY)}), clock=site.clock)
    async with lifecycle.lifespan(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://identity") as client:
            yield Door(client)


async def test_who_has_the_key_gets_a_token_of_a_customer_by_number(door: Door, site: Any, registry: Registry) -> None:
    assert (await door.exchange(3)).status_code == 404
    await registry.hear(told(40))
    answer = await door.exchange(3)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert (answer.json()["customer_id"], answer.json()["expires_in"]) == (str(GRACE), 600)
    caller = await site.verify_elsewhere(answer.json()["access_token"])
    assert (caller.id, set(caller.roles)) == (GRACE, {"customer"})


async def test_without_the_key_there_is_no_exchange(door: Door, registry: Registry) -> None:
    await registry.hear(told(40))
    for wrong in (await door.exchange(3, "a guess"), await door.client.post("/api/identity/exchanges", json={})):
        assert wrong.status_code in (401, 422)
        assert "access_token" not in wrong.text
    assert (await door.exchange(3, "a guess")).json()["type"] == "urn:banyan:problem:unauthenticated"


async def test_nobody_becomes_an_operator_by_a_number(door: Door, site: Any) -> None:
    me = await site.client.get("/api/identity/me", headers=await site.as_operator())
    assert (await door.exchange(me.json()["number"])).status_code == 404


async def test_without_a_key_of_its_own_the_service_has_no_such_route(site: Any) -> None:
    answer = await site.client.post("/api/identity/exchanges", json={"customer_number": 3})
    assert answer.status_code == 404


async def test_a_customer_told_of_on_the_stream_can_log_in(settings: Settings, nats_server: Any) -> None:
    access = {"nats_url": nats_server.url, "nats_user": nats_server.user, "nats_password": nats_server.password}
    connected = Settings.model_validate({**settings.model_dump(), **access})
    app, lifecycle = create_app(connected)
    customer, email = uuid4(), f"{uuid4()}@example.org"
    first = told(41, customer, email=email)
    async with Lifecycle([bus := Bus(connected, "bridge")]).lifespan(None), lifecycle.lifespan(app):
        await bus.jetstream()
        for delivery in ("", "-again"):
            await bus.publish(first.type, f"{first.id}{delivery}", first.encode())
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://identity") as client, asyncio.timeout(20):
            body = {"email": email, "password": PASSWORD}
            while not (await client.post("/api/identity/tokens", json=body)).is_success:
                await asyncio.sleep(1)  # as failed logins are throttled

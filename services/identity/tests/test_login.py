"""Logins: what a stranger can learn, and how fast a stranger can guess."""

import asyncio
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from pwdlib.hashers.argon2 import Argon2Hasher

from chassis.storage import Database
from identity.domain import LONGEST_DELAY
from identity.settings import Settings

EMAIL, PASSWORD = "ada@example.org", "correct horse battery"
NOBODY = "nobody@example.org"


def told(answer: httpx.Response) -> Any:
    """All that an answer says, the trace id aside."""
    body = answer.json()
    body.pop("trace_id")
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return answer.status_code, headers, body


async def fail(site: Any, times: int, email: str = EMAIL, address: str = "203.0.113.7") -> httpx.Response:
    for _ in range(times):
        answer: httpx.Response = await site.log_in(email, "a wrong password", address)
    return answer


async def test_an_unknown_address_and_a_wrong_password_are_answered_alike(site: Any) -> None:
    await site.register()
    unknown, wrong = await fail(site, 1, NOBODY), await fail(site, 1)
    assert unknown.status_code == 401
    assert unknown.json()["type"] == "urn:banyan:problem:invalid-credentials"
    assert told(unknown) == told(wrong)


@pytest.mark.parametrize("email", [EMAIL, NOBODY])
async def test_after_five_failures_even_the_right_password_has_to_wait(site: Any, email: str) -> None:
    await site.register()
    await fail(site, 5, email)
    answer = await site.log_in(email, PASSWORD)
    assert answer.status_code == 429
    assert answer.json()["type"] == "urn:banyan:problem:login-throttled"
    assert answer.headers["retry-after"] == "1"


async def test_unknown_accounts_are_throttled_with_the_same_words(site: Any) -> None:
    await site.register()
    assert told(await fail(site, 6, NOBODY)) == told(await fail(site, 6))


async def test_the_wait_grows_to_five_minutes_and_then_the_right_password_is_let_in(site: Any) -> None:
    await site.register()
    await fail(site, 5)
    for _ in range(10):
        site.clock.advance(seconds=int((await fail(site, 1)).headers.get("retry-after", "0")))
        await fail(site, 1)
    refused = await site.log_in(EMAIL, PASSWORD)
    assert int(refused.headers["retry-after"]) == LONGEST_DELAY.total_seconds()
    site.clock.advance(seconds=int(refused.headers["retry-after"]))
    assert (await site.log_in(EMAIL, PASSWORD)).status_code == 200


async def test_a_good_login_wipes_the_slate(site: Any) -> None:
    await site.register()
    await fail(site, 4)
    assert (await site.log_in(EMAIL, PASSWORD)).status_code == 200
    assert (await fail(site, 4)).status_code == 401


async def test_guesses_sent_at_once_are_counted_before_any_is_answered(site: Any) -> None:
    await site.register()
    answers = await asyncio.gather(*(site.log_in(EMAIL, f"wrong guess {n}") for n in range(30)))
    assert sum(answer.status_code == 401 for answer in answers) == 5
    assert sum(answer.status_code == 429 for answer in answers) == 25


async def test_one_address_that_tries_many_accounts_is_stopped_and_others_are_not(site: Any) -> None:
    await site.register()
    answers = [
        await site.log_in(f"{n}@example.org", "password123", "198.51.100.9") for n in range(site.address_limit + 1)
    ]
    assert [answer.status_code for answer in answers] == [401] * site.address_limit + [429]
    assert (await site.log_in(EMAIL, PASSWORD, "198.51.100.9")).status_code == 429
    assert (await site.log_in(EMAIL, PASSWORD, "198.51.100.10")).status_code == 200


async def test_an_attacker_cannot_wash_his_address_with_an_account_of_his_own(site: Any) -> None:
    await site.register()
    for n in range(site.address_limit - 1):
        await site.log_in(f"{n}@example.org", "password123", "198.51.100.9")
    assert (await site.log_in(EMAIL, PASSWORD, "198.51.100.9")).status_code == 200
    assert (await fail(site, 1, NOBODY, "198.51.100.9")).status_code == 401
    assert (await fail(site, 1, NOBODY, "198.51.100.9")).status_code == 429


async def test_the_address_is_the_one_that_the_gateway_saw(site: Any) -> None:
    for n in range(site.address_limit):
        await site.log_in(f"{n}@example.org", "password123", f"192.0.2.{n}, 198.51.100.9")
    assert (await fail(site, 1, NOBODY, "198.51.100.9")).status_code == 429


async def test_one_household_has_many_ipv6_addresses_and_one_count(site: Any) -> None:
    for n in range(site.address_limit):
        await site.log_in(f"{n}@example.org", "password123", f"2001:db8:0:7::{n:x}")
    assert (await fail(site, 1, NOBODY, "2001:db8:0:7:ffff::1")).status_code == 429
    assert (await fail(site, 1, NOBODY, "2001:db8:0:8::1")).status_code == 401


async def test_what_is_no_address_is_counted_as_the_peer(site: Any) -> None:
    assert (await fail(site, 1, NOBODY, "not an address")).status_code == 401


async def test_a_login_replaces_a_hash_with_older_parameters(site: Any, settings: Settings) -> None:
    await site.register()
    database = Database(settings)
    old = Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    stored = sa.text("SELECT password_hash FROM account WHERE email = :email")
    async with database.transaction() as connection:
        update = sa.text("UPDATE account SET password_hash = :old WHERE email = :email")
        await connection.execute(update, {"old": old, "email": EMAIL})
    assert (await site.log_in(EMAIL, PASSWORD)).status_code == 200
    async with database.autocommit() as connection:
        assert "m=19456,t=2,p=1" in str(await connection.scalar(stored, {"email": EMAIL}))
    await database.stop()
    assert (await site.log_in(EMAIL, PASSWORD)).status_code == 200

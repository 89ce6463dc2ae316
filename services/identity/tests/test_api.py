"""Registering and reading over HTTP, with a real PostgreSQL behind it."""

import asyncio
import json
from typing import Any

import pytest
import structlog

EMAIL, PASSWORD = "ada@example.org", "correct horse battery"


async def test_a_customer_registers_logs_in_and_reads_who_that_is(site: Any) -> None:
    registered = await site.register()
    assert registered.status_code == 201
    given = {name: registered.json()[name] for name in ("id", "number")}
    assert registered.json() == {**given, "email": EMAIL, "name": "Ada Lovelace"}
    assert given["number"] > 1_000_000  # below are those that the old shop gave
    headers = {"Authorization": f"Bearer {await site.token()}"}
    me = await site.client.get("/api/identity/me", headers=headers)
    assert me.json() == {**registered.json(), "roles": ["customer"]}


async def test_a_token_lives_ten_minutes_and_is_not_to_be_stored(site: Any) -> None:
    await site.register()
    answer = await site.log_in(EMAIL, PASSWORD)
    assert answer.json() == {
        "access_token": answer.json()["access_token"],
        "token_type": "Bearer",
        "expires_in": 600,
    }
    assert answer.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    site.clock.advance(seconds=599)
    assert (await site.client.get("/api/identity/me", headers=headers)).status_code == 200
    site.clock.advance(seconds=2)
    assert (await site.client.get("/api/identity/me", headers=headers)).status_code == 401


async def test_an_address_is_taken_however_it_is_spelled(site: Any) -> None:
    await site.register()
    again = await site.register(email="Ada@Example.ORG", password="another password")
    assert again.status_code == 409
    assert again.json()["type"] == "urn:banyan:problem:email-taken"
    assert (await site.log_in("ADA@example.org", PASSWORD)).status_code == 200


async def test_ten_at_once_who_want_one_address_get_one_account(site: Any) -> None:
    answers = await asyncio.gather(*(site.register() for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "no address"},
        {"email": "ada@example"},
        {"email": f"{'a' * 250}@example.org"},
        {"email": "a\x00da@example.org"},
        {"name": ""},
        {"name": " "},
        {"name": "A\x00da"},
        {"name": "A" * 101},
        {"name": 7},
        {"password": "too short"},
        {"password": "x" * 129},
        {"password": 1234567890},
        {"roles": ["operator"]},
    ],
)
async def test_what_does_not_fit_the_contract_is_refused(site: Any, changes: dict[str, Any]) -> None:
    answer = await site.register(**changes)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:banyan:problem:unprocessable"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("field", ["password", "name", "email", "stranger", "\ud800"])
async def test_half_a_surrogate_pair_is_refused_wherever_it_stands(site: Any, field: str) -> None:
    known = {"email": "ada@example.org", "name": "Ada", "password": "correct horse"}
    sent = json.dumps({**known, field: "\ud800 and so on"})
    headers = {"Content-Type": "application/json"}
    answer = await site.client.post("/api/identity/customers", content=sent, headers=headers)
    assert answer.status_code == 422


async def test_the_same_key_and_body_register_once_and_are_answered_twice(site: Any) -> None:
    first, second = await site.register("key-1"), await site.register("key-1")
    assert (second.status_code, second.content) == (201, first.content)


async def test_a_key_with_another_password_is_refused(site: Any) -> None:
    await site.register("key-1")
    answer = await site.register("key-1", password="another password")
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:banyan:problem:idempotency-key-reused"
    assert (await site.log_in(EMAIL, PASSWORD)).status_code == 200


async def test_two_strangers_may_choose_the_same_key(site: Any) -> None:
    await site.register("key-1")
    other = await site.register("key-1", email="charles@example.org")
    assert other.json()["email"] == "charles@example.org"


async def test_a_refused_registration_gives_its_key_back(site: Any) -> None:
    await site.register()
    assert (await site.register("key-1")).json()["type"] == "urn:banyan:problem:email-taken"
    assert (await site.register("key-1")).json()["type"] == "urn:banyan:problem:email-taken"


async def test_without_a_token_nobody_is_anybody(site: Any) -> None:
    answer = await site.client.get("/api/identity/me")
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:banyan:problem:unauthenticated"


async def test_a_token_that_was_changed_is_refused(site: Any) -> None:
    await site.register()
    header, _, signature = (await site.token()).split(".")
    forged = f"{header}.eyJzdWIiOiJzb21lYm9keSJ9.{signature}"
    answer = await site.client.get("/api/identity/me", headers={"Authorization": f"Bearer {forged}"})
    assert answer.status_code == 401


async def test_logging_in_and_rotating_leave_no_secret_in_the_log_or_in_an_answer(site: Any) -> None:
    with structlog.testing.capture_logs() as lines:
        answers = [
            await site.register(),
            await site.register(),
            await site.log_in(EMAIL, "a wrong password"),
            await site.rotate(),
            await site.client.get("/api/identity/jwks.json"),
        ]
        token = await site.token()
    told = repr(lines) + "".join(answer.text for answer in answers)
    for secret in (PASSWORD, "a wrong password", "argon2", "sealed", '"d":', token):
        assert secret not in told

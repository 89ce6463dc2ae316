"""The processor over real PostgreSQL and real sockets: what a key promises, and what each test card does."""

import asyncio
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

Answer = dict[str, Any]


async def post_charge(psp: httpx.AsyncClient, key: str, token: str = "tok_ok", amount: Any = 1299) -> httpx.Response:
    body = {"amount": amount, "currency": "EUR", "card_token": token}
    return await psp.post("/v1/charges", json=body, headers={"Idempotency-Key": key})


async def post_refund(psp: httpx.AsyncClient, charge_id: str, key: str, amount: int) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return await psp.post(f"/v1/charges/{charge_id}/refunds", json={"amount": amount}, headers=headers)


async def read(psp: httpx.AsyncClient, key: str) -> Answer:
    answer: Answer = (await psp.get(f"/v1/charges/by-key/{key}")).json()
    return answer


async def test_a_charge_is_answered_and_found_by_key_and_by_id(psp: httpx.AsyncClient) -> None:
    answer = await post_charge(psp, "k1")
    assert answer.status_code == 201
    charge = answer.json()
    assert (charge["state"], charge["amount"], charge["currency"]) == ("charged", 1299, "EUR")
    assert await read(psp, "k1") == charge
    assert (await psp.get(f"/v1/charges/{charge['id']}")).json() == charge
    assert "tok_ok" not in answer.text


async def test_a_declined_card_is_a_normal_answer_with_a_reason(psp: httpx.AsyncClient) -> None:
    answer = await post_charge(psp, "k1", "tok_declined")
    assert (answer.status_code, answer.json()["state"], answer.json()["reason"]) == (
        201,
        "declined",
        "insufficient_funds",
    )


async def test_the_same_key_and_body_give_the_same_answer(psp: httpx.AsyncClient) -> None:
    first, second = await post_charge(psp, "k1"), await post_charge(psp, "k1")
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert ("Idempotent-Replayed" in first.headers, second.headers["Idempotent-Replayed"]) == (False, "true")


async def test_the_same_key_with_another_body_is_refused(psp: httpx.AsyncClient) -> None:
    await post_charge(psp, "k1", amount=1299)
    answer = await post_charge(psp, "k1", amount=1300)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:banyan:problem:idempotency-key-reused")
    assert (await read(psp, "k1"))["amount"] == 1299


async def test_twenty_requests_with_one_key_at_once_make_one_charge(psp: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(post_charge(psp, "k1") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1


async def test_a_lost_answer_was_a_charge_and_only_the_first_answer_is_lost(psp: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.TransportError):
        await post_charge(psp, "k1", "tok_answer_lost")
    found = await read(psp, "k1")
    assert found["state"] == "charged"
    assert (await post_charge(psp, "k1", "tok_answer_lost")).json() == found


async def test_a_slow_charge_is_unknown_until_it_is_done_and_done_although_the_caller_hung_up(
    psp: httpx.AsyncClient,
) -> None:
    body = {"amount": 1, "currency": "EUR", "card_token": "tok_slow"}
    headers = {"Idempotency-Key": "k1", "X-Request-Deadline": "200"}
    with pytest.raises(httpx.ReadTimeout):
        await psp.post("/v1/charges", json=body, headers=headers, timeout=0.3)
    assert (await psp.get("/v1/charges/by-key/k1")).status_code == 404
    limit = time.monotonic() + 5
    while (answer := await psp.get("/v1/charges/by-key/k1")).status_code == 404 and time.monotonic() < limit:
        await asyncio.sleep(0.05)
    assert answer.json()["state"] == "charged"


async def test_an_unavailable_processor_has_stored_nothing_and_takes_the_next_attempt(psp: httpx.AsyncClient) -> None:
    refused = await post_charge(psp, "k1", "tok_unavailable_once")
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert (await psp.get("/v1/charges/by-key/k1")).status_code == 404
    assert (await post_charge(psp, "k1", "tok_unavailable_once")).status_code == 201


async def test_refunds_at_once_never_give_back_more_than_was_charged(psp: httpx.AsyncClient) -> None:
    charge = (await post_charge(psp, "k1", amount=1000)).json()
    answers = await asyncio.gather(*(post_refund(psp, charge["id"], f"r{n}", 300) for n in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 409, 409, 409, 409, 409]
    assert (await read(psp, "k1"))["refunded"] == 900


async def test_a_repeated_refund_gives_the_money_back_once(psp: httpx.AsyncClient) -> None:
    charge = (await post_charge(psp, "k1", amount=1000)).json()
    answers = await asyncio.gather(*(post_refund(psp, charge["id"], "r1", 1000) for _ in range(8)))
    assert {(answer.status_code, answer.json()["id"]) for answer in answers} == {(201, answers[0].json()["id"])}
    assert (await read(psp, "k1"))["refunded"] == 1000


async def test_a_refund_key_of_another_refund_is_refused(psp: httpx.AsyncClient) -> None:
    first = (await post_charge(psp, "k1", amount=1000)).json()
    second = (await post_charge(psp, "k2", amount=1000)).json()
    await post_refund(psp, first["id"], "r1", 100)
    assert (await post_refund(psp, first["id"], "r1", 200)).status_code == 422
    assert (await post_refund(psp, second["id"], "r1", 100)).status_code == 422
    assert (await read(psp, "k2"))["refunded"] == 0


@pytest.mark.parametrize("key", [None, "Bearer wrong", "Bearer ä", "Basic YTpi"])
async def test_without_the_api_key_nothing_is_charged(psp: httpx.AsyncClient, key: str | None) -> None:
    authorization = psp.headers.pop("Authorization")
    body = {"amount": 1, "currency": "EUR", "card_token": "tok_ok"}
    headers = {b"Idempotency-Key": b"k1"} | ({} if key is None else {b"Authorization": key.encode("latin-1")})
    answer = await psp.post("/v1/charges", json=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:banyan:problem:unauthenticated")
    psp.headers["Authorization"] = authorization
    assert (await psp.get("/v1/charges/by-key/k1")).status_code == 404


@pytest.mark.parametrize("amount", [0, -1, 100_000_001, 1.5, "10", True, None])
async def test_an_impossible_amount_is_refused_and_stores_nothing(psp: httpx.AsyncClient, amount: Any) -> None:
    answer = await post_charge(psp, "k1", amount=amount)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:banyan:problem:unprocessable")
    assert (await psp.get("/v1/charges/by-key/k1")).status_code == 404


async def test_a_token_of_no_card_and_a_charge_of_no_ledger_have_their_own_problems(psp: httpx.AsyncClient) -> None:
    assert (await post_charge(psp, "k1", "tok_made_up")).json()["type"] == "urn:banyan:problem:unknown-card"
    assert (await post_refund(psp, str(uuid4()), "r1", 1)).json()["type"] == "urn:banyan:problem:not-found"

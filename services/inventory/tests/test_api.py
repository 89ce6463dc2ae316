"""Inventory over HTTP: stock to read, deliveries to book in once, and bad input that changes nothing."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

EMMA = "9781999900007"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


async def test_a_receipt_makes_copies_available(service: Any) -> None:
    receipt = await service.receive(EMMA, 12, service.operator("first"))

    assert receipt.status_code == 201
    assert receipt.headers["location"] == f"/api/inventory/stock/{EMMA}"
    assert receipt.json() == {"isbn": EMMA, "received": 12, "on_hand": 12, "reserved": 0, "available": 12}
    assert (await service.client.get(f"/api/inventory/stock/{EMMA}")).json() == {"isbn": EMMA, "available": 12}


async def test_the_stock_of_many_books_is_read_at_once_and_unknown_ones_are_absent(service: Any) -> None:
    walden, dracula = "9781999900014", "9781999900021"
    for isbn, quantity in ((EMMA, 12), (walden, 3)):
        await service.receive(isbn, quantity, service.operator(isbn))
    answer = await service.client.get("/api/inventory/stock", params={"isbn": [walden, dracula, EMMA, walden]})
    assert answer.json() == {"items": [{"isbn": walden, "available": 3}, {"isbn": EMMA, "available": 12}]}
    for isbns in ([], [EMMA] * 51, ["9781999900008"], ["emma"]):
        assert (await service.client.get("/api/inventory/stock", params={"isbn": isbns})).status_code == 422


async def test_a_receipt_sent_again_is_answered_the_same_and_booked_once(service: Any) -> None:
    operator = service.operator("again", uuid4())
    first = await service.receive(EMMA, 12, operator)

    second = await service.receive(EMMA, 12, operator)

    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["location"] == first.headers["location"]
    assert (await service.client.get(f"/api/inventory/stock/{EMMA}")).json()["available"] == 12


async def test_a_receipt_sent_many_times_at_once_is_booked_once(service: Any) -> None:
    operator = service.operator("at-once", uuid4())

    answers = await asyncio.gather(*(service.receive(EMMA, 5, operator) for _ in range(8)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert (await service.client.get(f"/api/inventory/stock/{EMMA}")).json()["available"] == 5


async def test_a_key_reused_for_another_receipt_is_refused(service: Any) -> None:
    operator = service.operator("reused", uuid4())
    await service.receive(EMMA, 12, operator)

    other = await service.receive(EMMA, 13, operator)

    assert (other.status_code, other.json()["type"]) == (422, "urn:banyan:problem:idempotency-key-reused")


async def test_stock_never_outgrows_its_column(service: Any, warehouse: Any) -> None:
    for _ in range(2):
        await warehouse.receive(EMMA, 999_500_000)

    full = await service.receive(EMMA, 1_000_000, service.operator("fits"))
    over = await service.receive(EMMA, 1, service.operator("over"))

    assert (full.status_code, full.json()["received"]) == (201, 2_000_000_000)
    assert (over.status_code, over.json()["type"]) == (409, "urn:banyan:problem:conflict")


@pytest.mark.parametrize("quantity", [0, -1, 1_000_001, 10**30, "7", 1.5, True, None])
async def test_a_receipt_of_a_wrong_quantity_changes_nothing(service: Any, quantity: Any) -> None:
    answer = await service.receive(EMMA, quantity, service.operator("wrong"))

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:banyan:problem:unprocessable")
    assert (await service.client.get(f"/api/inventory/stock/{EMMA}")).status_code == 404


async def test_unknown_fields_of_a_receipt_are_refused(service: Any) -> None:
    answer = await service.client.post(
        f"/api/inventory/stock/{EMMA}/receipts",
        json={"quantity": 1, "shelf": "A"},
        headers=service.operator("unknown"),
    )
    assert answer.status_code == 422


@pytest.mark.parametrize("isbn", ["9781999900008", "978-1999900007", "123", "9781999900007%00", "٩٧٨١٩٩٩٩٠٠٠٠٧"])
async def test_what_is_no_isbn_is_refused(service: Any, isbn: str) -> None:
    assert (await service.client.get(f"/api/inventory/stock/{isbn}")).status_code == 422


async def test_a_book_that_was_never_received_is_not_found(service: Any) -> None:
    answer = await service.client.get("/api/inventory/stock/9781999900014")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:banyan:problem:not-found")


async def test_deliveries_are_booked_in_by_operators_only(service: Any) -> None:
    customer = {"Authorization": f"Bearer {service.token()}", "Idempotency-Key": "k"}
    assert (await service.receive(EMMA, 1, {"Idempotency-Key": "k"})).status_code == 401
    assert (await service.receive(EMMA, 1, customer)).status_code == 403


async def test_the_service_is_useful_while_the_bus_is_down(service: Any) -> None:
    assert (await service.client.get("/readyz")).json() == {"status": "ok", "problems": []}
    assert (await service.client.get("/startupz")).status_code == 200


@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_the_api_answers_whatever_comes_as_its_description_says(service: Any, mode: GenerationMode) -> None:
    schema: Any = schemathesis.openapi.from_dict(service.app.openapi())
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) == 3

    for operation in operations:
        for case in _cases(operation, mode):
            answer = await service.client.request(**_request(case, service))
            case.validate_response(answer, checks=CHECKS)


def _cases(operation: Any, mode: GenerationMode) -> list[Any]:
    """Collected first and sent afterwards: hypothesis does not await."""
    cases: list[Any] = []

    @settings(max_examples=60, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: Any) -> None:
        cases.append(case)

    collect()
    return cases


def _request(case: Any, service: Any) -> dict[str, Any]:
    sent = case.as_transport_kwargs(base_url="http://inventory")
    parts = {"method": "method", "url": "url", "params": "params", "json": "json", "data": "content"}
    known = {name: sent[part] for part, name in parts.items() if part in sent}
    return {**known, "headers": {**sent["headers"], **service.operator()}}

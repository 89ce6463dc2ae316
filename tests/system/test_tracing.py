"""One trace id leads from a problem, or from an order, to every log line that belongs to it."""

import uuid
from typing import Any

from tests.system.shop import Caller, Shop, assert_problem


def test_the_trace_id_of_a_problem_is_in_the_logs_of_gateway_and_service(shop: Shop, customer: Caller) -> None:
    problem = assert_problem(customer.http.get(f"/api/orders/{uuid.uuid4()}"), 404, "not-found")
    for program in ("gateway", "orders"):
        (line,) = shop.logged(program, problem["trace_id"])
        assert (line["service"], line["event"], line["status"]) == (program, "http.request", 404)
        assert line["level"]
        assert line["time"]


def test_the_trace_id_of_a_refusal_by_the_gateway_is_in_its_log(shop: Shop) -> None:
    problem = assert_problem(shop.client().get("/api/orders"), 401, "unauthenticated")
    assert shop.logged("gateway", problem["trace_id"])


def test_one_trace_runs_from_the_gateway_through_the_stream_to_the_last_handler(
    shop: Shop, customer: Caller, isbns: list[str]
) -> None:
    trace_id, parent = uuid.uuid4().hex, uuid.uuid4().hex[:16]
    body = {"lines": [{"isbn": isbns[0], "quantity": 1}], "card_token": "tok_ok"}
    headers = {"Idempotency-Key": trace_id, "traceparent": f"00-{trace_id}-{parent}-01"}
    answer = customer.http.post("/api/orders", json=body, headers=headers)
    order = customer.final(answer.headers["Location"])
    found = _trace_of(shop, answer, order)
    for program in ("gateway", "catalog", "orders", "inventory", "payments", "psp"):
        assert shop.logged(program, found)
    # The last handler of the saga confirms the order, and what it tells of it carries the trace that it ran in.
    told = shop.messages(order["id"])
    assert {message["type"].split(".")[2] for message in told} >= {
        "reserve-stock",
        "stock-committed",
        "order-confirmed",
    }
    assert {message["traceparent"].split("-")[1] for message in told} == {found}


def _trace_of(shop: Shop, answer: Any, order: Any) -> str:
    """The trace that the gateway chose: the caller's own, or one that it began because it does not trust callers."""
    sent = str(answer.request.headers["Idempotency-Key"])
    told = shop.messages(order["id"])
    placed = next(message for message in told if message["type"].split(".")[2] == "order-placed")
    chosen = str(placed["traceparent"].split("-")[1])
    assert chosen == sent or shop.logged("gateway", chosen)
    return chosen

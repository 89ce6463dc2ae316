"""Every error leaves as a problem document with a stable type and the trace's id, and none tells of the inside."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sample.main import Settings, create_app

from chassis.settings import ServiceSettings

JSON = {"Content-Type": "application/json"}
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
async def client(alone: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app, *_ = create_app(alone)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
        yield http


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, object] = answer.json()
    assert (answer.status_code, document["status"], document["type"]) == (status, status, f"urn:banyan:problem:{slug}")
    assert document["title"]
    assert document["trace_id"] == TRACE
    return document


async def test_an_unknown_route(client: httpx.AsyncClient) -> None:
    problem(await client.get("/nowhere"), 404, "not-found")


async def test_a_method_that_does_not_apply(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/notes")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


async def test_a_domain_error_by_the_services_table(client: httpx.AsyncClient) -> None:
    assert problem(await client.get("/notes/7"), 404, "not-found")["detail"] == "There is no note 7"


async def test_fields_that_do_not_fit_are_named(client: httpx.AsyncClient) -> None:
    answer = await client.post("/notes", json={"weight": 0, "colour": "crimson"})
    document = problem(answer, 422, "unprocessable")
    assert [tuple(fault["loc"]) for fault in document["errors"]] == [  # type: ignore[attr-defined]
        ("body", "text"),
        ("body", "weight"),
        ("body", "colour"),
    ]
    assert "crimson" not in answer.text, "what was sent is not sent back"


async def test_a_field_name_that_is_no_text(client: httpx.AsyncClient) -> None:
    problem(await client.post("/notes", content=rb'{"text": "x", "\ud800": 1}', headers=JSON), 422, "unprocessable")


async def test_a_body_that_is_no_json(client: httpx.AsyncClient) -> None:
    for body in (b"{", b"\xff\xfe", b"", b"[1,", b'{"text": "\\ud8"}'):
        answer = await client.post("/notes", content=body, headers=JSON)
        assert answer.status_code in (400, 422), body
        problem(answer, answer.status_code, "malformed-request" if answer.status_code == 400 else "unprocessable")


@pytest.mark.parametrize("brackets", [30_000, 100_000])
async def test_a_body_of_brackets(client: httpx.AsyncClient, brackets: int) -> None:
    answer = await client.post("/notes", content=b"[" * brackets, headers=JSON)
    problem(answer, *((413, "payload-too-large") if brackets > 64 * 1024 else (400, "malformed-request")))


async def test_a_missing_idempotency_key(client: httpx.AsyncClient) -> None:
    problem(await client.post("/keyed"), 400, "idempotency-key-missing")


async def test_a_malformed_idempotency_key(client: httpx.AsyncClient) -> None:
    problem(await client.post("/keyed", headers={"Idempotency-Key": "with space"}), 422, "unprocessable")


async def test_a_bug_tells_nothing_of_the_inside(client: httpx.AsyncClient) -> None:
    answer = await client.get("/bug")
    problem(answer, 500, "internal")
    assert "swordfish" not in answer.text
    assert "Traceback" not in answer.text


async def test_a_database_that_is_down(client: httpx.AsyncClient) -> None:
    answer = await client.post("/notes", json={"text": "x"})
    problem(answer, 503, "upstream-unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_openapi_says_that_errors_are_problems(client: httpx.AsyncClient, alone: ServiceSettings) -> None:
    document = (await client.get("/openapi.json")).json()
    answers = document["paths"]["/notes"]["post"]["responses"]
    assert list(answers["422"]["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    header = document["paths"]["/keyed"]["post"]["parameters"][0]
    assert (header["name"], header["required"]) == ("idempotency-key", True)

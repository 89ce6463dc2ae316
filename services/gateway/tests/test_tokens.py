"""Who may call: tokens are checked once, never believed beyond their expiry, and garbage costs no fetch of keys."""

import asyncio
import time
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from chassis.auth import TokenVerifier
from chassis.settings import TokenSettings
from services.gateway.tests.fakes import Tools, eventually, request


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"


async def test_a_route_for_known_callers_needs_a_token(tools: Tools) -> None:
    await tools.start()
    answer = await tools.ask(request("/api/orders"))
    assert (answer.status, answer.slug) == (401, "unauthenticated")
    assert answer.headers[b"www-authenticate"] == b"Bearer"
    assert not tools.upstream.received


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 10},
        {"exp": None},
        {"iss": "somebody-else"},
        {"iss": None},
        {"aud": "another-shop"},
        {"aud": None},
        {"sub": None},
        {"sub": "not-a-uuid"},
    ],
)
async def test_a_token_without_the_right_claims_is_refused(tools: Tools, claims: dict[str, Any]) -> None:
    await tools.start()
    answer = await tools.ask(request("/api/orders", bearer(tools.issuer.token(**claims))))
    assert (answer.status, answer.slug) == (401, "unauthenticated")
    assert answer.headers[b"www-authenticate"] == b'Bearer error="invalid_token"'


async def test_a_forged_or_mistyped_token_is_refused(tools: Tools) -> None:
    await tools.start()
    stranger = OKPKey.generate_key("Ed25519", {"kid": "k1"})
    good = tools.issuer.token()
    forged = [
        tools.issuer.token(key=stranger),
        tools.issuer.token(header={"typ": "JWT"}),
        good[:-4] + "AAAA",
        "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0Iiwia2lkIjoiazEifQ.e30.",
        "garbage",
        "a.b.c",
        "x" * 9000,
    ]
    for token in forged:
        assert (await tools.ask(request("/api/orders", bearer(token)))).status == 401
    assert (await tools.ask(request("/api/orders", "Authorization: Basic YTpi"))).status == 401
    assert not tools.upstream.received


async def test_a_wrong_token_is_refused_on_a_public_route_too(tools: Tools) -> None:
    await tools.start()
    assert (await tools.ask(request("/api/catalog/books", bearer("garbage")))).status == 401
    assert (await tools.ask(request("/api/catalog/books"))).status == 200


async def test_a_login_of_the_old_shop_goes_through_untouched(tools: Tools) -> None:
    await tools.start()
    for login in ("Basic cmVhZGVyQGV4YW1wbGUuY29tOnBhc3M=", "basic YTpi", "Basic not/base64 at=all"):
        for method in ("GET", "POST"):
            answer = await tools.ask(
                request("/legacy/api/orders", f"Authorization: {login}", method=method, body=b"{}")
            )
            assert answer.status == 200
            seen = tools.upstream.received[-1].headers
            assert seen[b"authorization"] == login.encode()
            assert b"x-caller-id" not in seen


async def test_elsewhere_such_a_login_is_refused_and_a_wrong_token_is_refused_there_too(tools: Tools) -> None:
    await tools.start()
    for path in ("/api/catalog/books", "/api/orders", "/api/migration/capabilities"):
        assert (await tools.ask(request(path, "Authorization: Basic YTpi"))).status == 401
    for wrong in (bearer("garbage"), "Authorization: Digest x", "Authorization: Basically YTpi"):
        assert (await tools.ask(request("/legacy/api/orders", wrong))).status == 401
    assert not tools.upstream.received


async def test_only_an_operator_sees_and_moves_the_migration(tools: Tools) -> None:
    await tools.start()
    customer, operator = tools.issuer.token(), tools.issuer.token(roles=["operator"])
    assert (await tools.ask(request("/api/migration/capabilities"))).status == 401
    assert (await tools.ask(request("/api/migration/capabilities", bearer(customer)))).status == 403
    stage = "/api/migration/capabilities/catalog/stage"
    assert (await tools.ask(request(stage, bearer(customer), method="PUT", body=b"{}"))).status == 403
    assert (await tools.ask(request(stage, bearer(operator), method="PUT", body=b"{}"))).status == 200


async def test_only_an_operator_writes_to_the_catalog(tools: Tools) -> None:
    await tools.start()
    customer, operator = tools.issuer.token(), tools.issuer.token(roles=["operator", "customer"])
    refused = await tools.ask(request("/api/catalog/books/1", bearer(customer), method="PUT", body=b"{}"))
    assert (refused.status, refused.slug) == (403, "forbidden")
    allowed = await tools.ask(request("/api/catalog/books/1", bearer(operator), method="PUT", body=b"{}"))
    assert allowed.status == 200


async def test_a_token_is_verified_once_and_the_keys_fetched_once(tools: Tools) -> None:
    await tools.start()
    token = tools.issuer.token()
    for _ in range(5):
        assert (await tools.ask(request("/api/orders", bearer(token)))).status == 200
    assert tools.issuer.fetches == 1


async def test_a_cached_token_is_not_believed_beyond_its_expiry(tools: Tools) -> None:
    await tools.start(rate_write=100_000)
    token = tools.issuer.token(exp=int(time.time()) + 2)
    wire = await tools.wire()
    statuses: list[int] = []
    async with asyncio.timeout(4):
        while not statuses or statuses[-1] == 200:
            wire.send(request("/api/orders", bearer(token)))
            statuses.append((await wire.answer()).status)
    assert statuses[0] == 200
    assert statuses[-1] == 401


async def test_the_cache_of_tokens_is_bounded_and_keeps_those_in_use(tools: Tools) -> None:
    class Small(TokenVerifier):
        TOKENS_KEPT = 2

    verifier = Small(tools.issuer.fetch_keys, TokenSettings(jwks_url="http://unused"))
    used, other, third = (tools.issuer.token() for _ in range(3))
    for token in (used, other):
        await verifier.verify(token)
    assert verifier.cached(used)
    await verifier.verify(third)
    assert verifier.cached(used)
    assert verifier.cached(other) is None


async def test_a_thousand_unknown_keys_cost_one_fetch(tools: Tools) -> None:
    await tools.start(rate_write=100_000)
    assert (await tools.ask(request("/api/orders", bearer(tools.issuer.token())))).status == 200
    wire = await tools.wire()
    for number in range(1000):
        wire.send(request("/api/orders", bearer(tools.issuer.token(header={"kid": f"unknown-{number}"}))))
        assert (await wire.answer()).status == 401
    assert tools.issuer.fetches <= 2


async def test_while_no_key_could_be_fetched_public_routes_work(tools: Tools) -> None:
    tools.issuer.available = False
    await tools.start()
    answer = await tools.ask(request("/api/orders", bearer(tools.issuer.token())))
    assert (answer.status, answer.slug) == (503, "upstream-unavailable")
    assert answer.headers[b"retry-after"] == b"1"
    assert (await tools.ask(request("/api/catalog/books"))).status == 200


async def test_a_client_beyond_its_rate_is_told_to_wait(tools: Tools) -> None:
    running = await tools.start(rate_read=2)
    answers = [await tools.ask(request("/api/catalog/books")) for _ in range(6)]
    assert [answer.status for answer in answers].count(200) == 4
    assert answers[-1].slug == "too-many-requests"
    assert int(answers[-1].headers[b"retry-after"]) >= 1
    assert running.metric("gateway_refusals_total", reason="rate-limit") == 2
    other = await tools.ask(request("/api/catalog/books", bearer(tools.issuer.token())))
    assert other.status == 200


async def test_refusals_before_the_upstream_are_counted_by_reason(tools: Tools) -> None:
    running = await tools.start()
    await tools.ask(request("/api/orders"))
    await tools.ask(request("/api/nothing"))
    await eventually(lambda: running.metric("gateway_refusals_total", reason="no-route") == 1)
    assert running.metric("gateway_refusals_total", reason="no-token") == 1

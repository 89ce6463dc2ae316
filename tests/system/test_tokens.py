"""Tokens: rotated keys, and tokens that were good once or were never meant for this shop."""

import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from tests.system.shop import Caller, Shop, assert_problem


def test_a_token_outlives_the_rotation_of_the_key_that_signed_it(shop: Shop, operator: Caller) -> None:
    reader = shop.register()
    rotated = operator.http.post("/api/identity/keys")
    assert rotated.status_code == 201, rotated.text
    keys = {key["kid"] for key in shop.client().get("/api/identity/jwks.json").json()["keys"]}
    assert rotated.json()["kid"] in keys
    assert len(keys) >= 2
    fresh = shop.log_in(reader.email, reader.password)
    for known in (reader, fresh):
        assert known.http.get("/api/orders").status_code == 200
        assert known.http.get("/api/identity/me").json()["id"] == reader.id


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": "banyan-identity",
        "aud": "banyan",
        "sub": str(uuid4()),
        "roles": ["customer"],
        "jti": str(uuid4()),
    }
    return claims | {"iat": now, "exp": now + 600, **changes}


def _signed(shop: Shop, *claims: Mapping[str, Any]) -> list[str]:
    """By the shop's own signing key: only with it can a token be made that is wrong in nothing but its claims."""
    return list(json.loads(shop.target.run_in("identity", "sign", json.dumps(claims))))


def test_only_the_claims_decide_about_a_well_signed_token(shop: Shop) -> None:
    past = int(time.time()) - 1
    without_end = {name: value for name, value in _claims().items() if name != "exp"}
    wrong = {
        "expired": _claims(exp=past),
        "of another issuer": _claims(iss="somebody-else"),
        "for another audience": _claims(aud="another-shop"),
        "without an end": without_end,
        "for nobody": _claims(sub="not-a-uuid"),
    }
    client = shop.client()
    good, *bad = _signed(shop, _claims(), *wrong.values())
    answer = client.get("/api/orders", headers={"Authorization": f"Bearer {good}"})
    assert answer.status_code == 200, answer.text
    for token in bad:
        assert_problem(client.get("/api/orders", headers={"Authorization": f"Bearer {token}"}), 401, "unauthenticated")


def test_a_service_does_not_rely_on_the_gateway_to_check_tokens(shop: Shop) -> None:
    """Asked at its own port, past the gateway."""
    (token,) = _signed(shop, _claims(exp=int(time.time()) - 1))
    expired = {"Authorization": f"Bearer {token}"}
    for service, path in (("orders", "/api/orders"), ("identity", "/api/identity/me")):
        for headers in (expired, {}, {"X-Caller-Id": str(uuid4()), "X-Caller-Roles": "operator"}):
            assert_problem(shop.past_the_gateway(service, path, headers), 401, "unauthenticated")

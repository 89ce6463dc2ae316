"""Tokens: rotated keys, and tokens that were good once or were never meant for this shop."""

import asyncio
import time
from typing import Any
from uuid import uuid4

import asyncpg
from pydantic import SecretStr

from identity.domain import SigningKey
from identity.keys import JwtSigner, Vault
from identity.settings import key_bytes
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


def _signer(shop: Shop) -> "tuple[JwtSigner, SigningKey]":
    """The shop's own signing key: only with it can a token be made that is wrong in nothing but its claims."""

    async def newest() -> asyncpg.Record:
        password = shop.place.secret("auditor", "database_password")
        connection = await asyncpg.connect(shop.place.auditor_url("identity"), password=password)
        try:
            row = await connection.fetchrow(
                "SELECT kid, public, sealed, created_at, activates_at FROM signing_key ORDER BY created_at LIMIT 1"
            )
        finally:
            await connection.close()
        assert row is not None
        return row

    secret = SecretStr(shop.place.secret("identity", "key_encryption_key"))
    return JwtSigner(Vault(key_bytes(secret))), SigningKey(**asyncio.run(newest()))


def test_only_the_claims_decide_about_a_well_signed_token(shop: Shop) -> None:
    signer, key = _signer(shop)
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
    good = client.get("/api/orders", headers={"Authorization": f"Bearer {signer.sign(key, _claims())}"})
    assert good.status_code == 200, good.text
    for claims in wrong.values():
        headers = {"Authorization": f"Bearer {signer.sign(key, claims)}"}
        assert_problem(client.get("/api/orders", headers=headers), 401, "unauthenticated")


def test_a_service_does_not_rely_on_the_gateway_to_check_tokens(shop: Shop) -> None:
    """Asked at its own port, past the gateway."""
    signer, key = _signer(shop)
    expired = {"Authorization": f"Bearer {signer.sign(key, _claims(exp=int(time.time()) - 1))}"}
    for service, path in (("orders", "/api/orders"), ("identity", "/api/identity/me")):
        url = f"{shop.place.ports.url(service)}{path}"
        for headers in (expired, {}, {"X-Caller-Id": str(uuid4()), "X-Caller-Roles": "operator"}):
            assert_problem(shop.client().get(url, headers=headers), 401, "unauthenticated")

"""Who may see a payment."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from chassis.auth import ALGORITHM, TOKEN_TYPE, TokenVerifier
from chassis.storage import Database
from payments.domain import Payment
from payments.main import create_app
from payments.messaging import to_message
from payments.settings import Settings
from payments.storage import SqlStorage

KEY = OKPKey.generate_key("Ed25519", {"kid": "test"})


def bearer(caller: UUID, *roles: str) -> dict[str, str]:
    claims = {
        "iss": "banyan-identity",
        "aud": "banyan",
        "sub": str(caller),
        "roles": ["customer", *roles],
        "exp": int(time.time()) + 60,
    }
    header = {"alg": ALGORITHM, "kid": "test", "typ": TOKEN_TYPE}
    return {"Authorization": f"Bearer {jwt.encode(header, claims, KEY, algorithms=[ALGORITHM])}"}


@dataclass(frozen=True)
class Service:
    """The running application, with one payment in it."""

    client: httpx.AsyncClient
    payment: Payment

    async def read(self, order_id: object, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.client.get(f"/api/payments/{order_id}", headers=headers)


@pytest.fixture
async def service(settings: Settings, database: Database) -> AsyncIterator[Service]:
    async def keys() -> dict[str, Any]:
        return {"keys": [KEY.as_dict(private=False)]}

    payment = Payment.open(uuid4(), uuid4(), 1299, "EUR", "tok_ok", datetime.now(UTC))
    await SqlStorage(database, to_message).add_first(payment)
    app, lifecycle = create_app(settings, verifier=TokenVerifier(keys, settings))
    async with lifecycle.lifespan(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://payments") as client:
            yield Service(client, payment)


async def test_the_customer_and_an_operator_see_a_payment_without_its_card(service: Service) -> None:
    assert service.payment.customer_id is not None
    for headers in (bearer(service.payment.customer_id), bearer(uuid4(), "operator")):
        answer = await service.read(service.payment.order_id, headers)
        assert answer.status_code == 200
        seen = answer.json()
        assert (seen["order_id"], seen["state"], seen["amount"]) == (str(service.payment.order_id), "open", 1299)
        assert "tok_" not in answer.text


async def test_another_customers_payment_looks_like_none_at_all(service: Service) -> None:
    other = await service.read(service.payment.order_id, bearer(uuid4()))
    none = await service.read(uuid4(), bearer(uuid4()))
    assert (other.status_code, none.status_code) == (404, 404)
    assert other.json()["type"] == none.json()["type"] == "urn:banyan:problem:not-found"


async def test_nobody_sees_anything_without_a_token(service: Service) -> None:
    assert (await service.read(service.payment.order_id)).status_code == 401


async def test_an_order_id_that_is_none_is_refused(service: Service) -> None:
    assert (await service.read("1", bearer(uuid4()))).status_code == 422

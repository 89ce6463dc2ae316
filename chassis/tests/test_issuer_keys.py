"""The issuer's keys are fetched from the address in the settings, whatever its path."""

import httpx
import pytest

from chassis.errors import DependencyUnavailable
from chassis.issuer_keys import IssuerKeys
from chassis.settings import TokenSettings


async def fetch(answer: httpx.Response) -> tuple[str, object]:
    asked: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return answer

    settings = TokenSettings(jwks_url="http://issuer.test/keys/jwks.json")
    keys = IssuerKeys(settings, httpx.MockTransport(respond))
    await keys.start()
    try:
        document = await keys.fetch()
    finally:
        await keys.stop()
    return asked[0], document


async def test_the_document_comes_from_the_address_in_the_settings() -> None:
    assert await fetch(httpx.Response(200, json={"keys": []})) == ("http://issuer.test/keys/jwks.json", {"keys": []})


async def test_an_answer_without_keys_is_an_absent_dependency() -> None:
    with pytest.raises(DependencyUnavailable):
        await fetch(httpx.Response(404))

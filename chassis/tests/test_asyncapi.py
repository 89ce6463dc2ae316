"""The AsyncAPI document stands beside OpenAPI."""

import httpx
from sample.main import Settings, create_app


async def test_asyncapi_is_served_where_a_service_has_messages(alone: Settings) -> None:
    app, *_ = create_app(alone)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        document = (await http.get("/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"
    assert list(document["channels"]) == ["shop.sample.noted.v1"]

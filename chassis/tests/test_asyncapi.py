"""The AsyncAPI document stands beside OpenAPI."""

import importlib
import json
from pathlib import Path

import httpx
import pytest
from sample.main import Settings, create_app

from chassis import asyncapi


async def test_asyncapi_is_served_where_a_service_has_messages(alone: Settings) -> None:
    app, *_ = create_app(alone)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        document = (await http.get("/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"
    assert list(document["channels"]) == ["shop.sample.noted.v1"]


@pytest.mark.parametrize(
    ("package", "contracts"),
    [("app/told", "app/told/contracts"), ("told/src/told", "told/contracts")],
    ids=["an-image", "the-repository"],
)
def test_examples_are_found_in_an_image_and_beside_the_sources(
    package: str, contracts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (package, contracts, "contracts"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / package / "__init__.py").touch()
    mine, foreign = {"type": "shop.told.mine.v1", "data": {}}, {"type": "shop.told.foreign.v1", "data": {}}
    (tmp_path / contracts / "mine.v1.json").write_text(json.dumps({"examples": [mine]}))
    (tmp_path / "contracts" / "foreign.v1.json").write_text(json.dumps({"examples": [foreign]}))
    monkeypatch.syspath_prepend(tmp_path / Path(package).parent)
    importlib.invalidate_caches()
    assert asyncapi.contracts("told") == {"shop.told.mine.v1": [mine]}


def test_a_package_without_examples_has_none() -> None:
    assert asyncapi.contracts("json") == {}
    assert asyncapi.contracts("no_such_package") == {}

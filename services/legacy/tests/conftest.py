"""Fixtures of the old shop's tests: it over a real database; whom it meets is in fakes.py."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from flask import Flask

from conftest import MakeDatabase
from legacy.db import Pool, connect
from legacy.install import install
from legacy.main import build
from legacy.settings import DatabaseSettings, Settings
from services.legacy.tests.fakes import API_KEY, Browser, CardCompany, Partner


@pytest.fixture
async def database(make_database: MakeDatabase) -> DatabaseSettings:
    """An installed database, with the printed list on its shelves."""
    made = await make_database("legacy", migrated=False)
    settings = DatabaseSettings(made.url, made.password)
    await asyncio.to_thread(install, settings)
    return settings


@pytest.fixture
def card_company() -> Iterator[CardCompany]:
    company = CardCompany()
    threading.Thread(target=company.serve_forever, args=(0.02,), daemon=True).start()
    yield company
    company.go_on.set()
    company.shutdown()
    company.server_close()


@pytest.fixture
def settings(database: DatabaseSettings, card_company: CardCompany) -> Settings:
    return Settings(
        port=0,
        database_url=database.database_url,
        database_password=database.database_password,
        psp_url=card_company.url,
        psp_api_key=API_KEY,
        session_key="a key for the cookies of the tests",
    )


@pytest.fixture
def pool(settings: Settings) -> Iterator[Pool]:
    pool = connect(settings.database_url, settings.database_password, 16)
    yield pool
    pool.close()


@pytest.fixture
def app(settings: Settings, pool: Pool) -> Flask:
    return build(settings, pool)


@pytest.fixture
def partner(app: Flask) -> Partner:
    return Partner(app)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)

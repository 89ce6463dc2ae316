"""Fixtures of the gateway's tests; the fakes are in fakes.py."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from services.gateway.tests.fakes import Issuer, Tools, Upstream


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the gateway runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def tools() -> AsyncIterator[Tools]:
    upstream = Upstream()
    await upstream.start()
    made = Tools(upstream, Issuer())
    yield made
    await made.stop()

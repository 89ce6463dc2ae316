"""What the gateway answers itself: probes, metrics, and the documentation of all services as one."""

from collections.abc import Callable, Mapping
from importlib import resources
from types import MappingProxyType

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from gateway.openapi import MergedOpenApi
from gateway.proxy import Page, Pages

_JSON = "application/json"
_DOCS_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
    ),
    (b"x-content-type-options", b"nosniff"),
)


def pages(
    draining: Callable[[], bool],
    dead: Callable[[], list[str]],
    openapi: MergedOpenApi,
    registry: CollectorRegistry,
    origin: Mapping[str, str],
) -> Pages:
    """The gateway's own pages by path. No probe asks an upstream: the gateway is of use while one of them is down.

    `origin` is told beside whether the process is alive.
    """
    docs = resources.files("gateway").joinpath("docs.html").read_bytes()

    def alive() -> Page:
        ended = dead()
        return _probe([f"ended unexpectedly: {', '.join(ended)}"] if ended else [], origin)

    def ready() -> Page:
        return _probe(["draining"] if draining() else [])

    return {
        b"/healthz": alive,
        b"/startupz": lambda: _probe([]),
        b"/readyz": ready,
        b"/metrics": lambda: Page(200, CONTENT_TYPE_LATEST, generate_latest(registry)),
        b"/openapi.json": lambda: Page(200, _JSON, openapi.document()),
        b"/docs": lambda: Page(200, "text/html; charset=utf-8", docs, _DOCS_HEADERS),
    }


def _probe(wrong: list[str], told: Mapping[str, str] = MappingProxyType({})) -> Page:
    body = orjson.dumps({"status": "failing" if wrong else "ok", "problems": wrong, **told})
    return Page(503 if wrong else 200, _JSON, body)

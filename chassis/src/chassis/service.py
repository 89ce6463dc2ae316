"""Puts a service's application together: the order of the middleware is the list in `create_app`."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import asyncapi, errors, faults, health, migrate
from chassis.errors import Problem
from chassis.lifecycle import Lifecycle
from chassis.middleware import BodyLimit, Bugs, Deadline, RequestTelemetry
from chassis.settings import ServiceSettings
from chassis.storage import Database

BODY_LIMIT = 64 * 1024
# FastAPI makes four spans of its own a request, beside `RequestTelemetry` and not below it: each request would be two.
_NO_SECOND_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}


class CloseWhileDraining:
    """Asks clients to let go of kept-alive connections, before the server closes them under their hands."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle) -> None:
        self._app = app
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def close(message: Message) -> None:
            if message["type"] == "http.response.start" and self._lifecycle.draining:
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, close)


def create_app(
    settings: ServiceSettings,
    lifecycle: Lifecycle,
    database: Database,
    routers: Sequence[APIRouter],
    problems: Mapping[type[Exception], Problem],
    ready: Sequence[health.Check] = (),
    messages: Mapping[str, Any] | None = None,
    started: Sequence[health.Check] | None = None,
) -> FastAPI:
    """The application with probes, metrics, problem documents and, where switched on, faults.

    `ready` are checks of `/readyz` beside the own database; `messages` is the AsyncAPI document, served as it is;
    `started` are the checks of `/startupz` of a service that has no migrations to wait for.
    """
    injected = faults.Faults()
    middleware = [
        Middleware(RequestTelemetry),
        Middleware(CloseWhileDraining, lifecycle=lifecycle),
        Middleware(Bugs),
        Middleware(BodyLimit, limit=BODY_LIMIT),
        Middleware(Deadline),
    ]
    if settings.faults_token is not None:
        middleware.append(Middleware(faults.Inject, faults=injected))
    app = _Application(
        title=f"Banyan {settings.service_name}",
        version=settings.version,
        lifespan=lifecycle.lifespan,
        middleware=middleware,
        docs_url=None,
        redoc_url=None,
        telemetry=_NO_SECOND_TELEMETRY,
    )
    errors.install(app, problems)
    begun = _migrated(settings, database) if started is None else started
    probes = health.router(lifecycle, begun, [_database(database), *ready], settings.origin())
    switches = [] if settings.faults_token is None else [faults.router(injected, settings.faults_token)]
    for router in (*routers, probes, *switches):
        # Not `include_router`: FastAPI would match the address once more at that level, on every request.
        app.router.routes.extend(router.routes)
    if messages is not None:
        app.add_api_route(asyncapi.PATH, lambda: messages, include_in_schema=False)
    return app


class _Application(FastAPI):
    """Describes its errors as the problem documents that they are."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = errors.describe(super().openapi())
        return self.openapi_schema


def _database(database: Database) -> health.Check:
    async def reachable() -> str | None:
        await database.ping()
        return None

    return reachable


def _migrated(settings: ServiceSettings, database: Database) -> list[health.Check]:
    expected, older = migrate.head(settings.service_name), migrate.older(settings.service_name)

    async def migrated() -> str | None:
        # What this code does not know is newer: a rolled-back replica, or one that is replaced just now, must start.
        found = await database.revision()
        behind = found is None or found in older
        return f"database stands at {found}, this code expects {expected}" if behind else None

    return [migrated]

"""Composition root of psp: settings in, application out."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from uuid_utils.compat import uuid7

from chassis import deadlines, service
from chassis.lifecycle import Lifecycle, serve
from chassis.settings import load
from chassis.shared_key import SharedKey
from chassis.storage import Database
from chassis.telemetry import Telemetry
from psp import api
from psp.application import Processor
from psp.settings import Settings
from psp.storage import SqlLedger


class IgnoreDeadlines:
    """An outside processor knows nothing of our deadline header: a charge it has begun goes on when we hang up."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            kept = [(name, value) for name, value in scope["headers"] if name != deadlines.HEADER.encode()]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    processor: Processor | None = None,
) -> tuple[FastAPI, Lifecycle]:
    """The application and its lifecycle; every dependency can be replaced."""
    database = database or Database(settings)
    processor = processor or Processor(SqlLedger(database), new_id=uuid7)
    lifecycle = Lifecycle([Telemetry(settings), database])
    routes = api.router(processor, SharedKey.mounted(settings, "psp_api_key"))
    app = service.create_app(settings, lifecycle, database, [routes], api.PROBLEMS)
    app.add_middleware(IgnoreDeadlines)
    return app, lifecycle


def main() -> None:
    """Entry point of the process."""
    settings = load(Settings)
    serve(lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()

"""The Flask application: the two blueprints, the cookie, the health check, one line in the log for each request."""

import time
from datetime import timedelta

from flask import Flask, Response, g, request

from legacy import api, pages
from legacy.access_log import write_line
from legacy.accounts import Accounts
from legacy.shop import Shop

HEALTH = "/legacy/health"
_LARGEST_BODY = 64 * 1024


def create_app(shop: Shop, accounts: Accounts, session_key: str) -> Flask:
    """The whole shop, for a WSGI server."""
    app = Flask("legacy", static_folder=None)
    app.config.update(
        SECRET_KEY=session_key,
        SESSION_COOKIE_NAME="shopsession",
        SESSION_COOKIE_PATH="/legacy",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=_LARGEST_BODY,
    )
    app.register_blueprint(api.routes(shop, accounts))
    app.register_blueprint(pages.routes(shop, accounts))

    @app.get(HEALTH)
    def health() -> Response:
        """The process answers; what it needs is not asked, for nothing gets better when it is restarted."""
        return Response("ok", mimetype="text/plain")

    @app.before_request
    def begin() -> None:
        g.begun = time.perf_counter()

    @app.after_request
    def log(response: Response) -> Response:
        if request.path != HEALTH:
            write_line(request, response, timedelta(seconds=time.perf_counter() - g.begun))
        return response

    return app

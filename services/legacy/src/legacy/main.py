"""Entry: settings in, a listening shop out. `python -m legacy.main`, after `python -m legacy.install`."""

import logging

from flask import Flask

from legacy.accounts import Accounts
from legacy.app import create_app
from legacy.db import Pool, connect, local_now
from legacy.psp import CardProcessor
from legacy.server import Server
from legacy.settings import Settings, load
from legacy.shop import Shop

# Each may hold a connection to the database while it waits for the card processor.
THREADS = 16


def build(settings: Settings, pool: Pool) -> Flask:
    """The application over a database."""
    processor = CardProcessor(settings.psp_url, settings.psp_api_key, settings.psp_timeout)
    return create_app(Shop(pool, processor, local_now), Accounts(pool, local_now), settings.session_key)


def main() -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    settings = load(Settings)
    pool = connect(settings.database_url, settings.database_password, THREADS)
    server = Server(build(settings, pool), settings.host, settings.port, THREADS)
    logging.getLogger("legacy").info("listening on %s:%d", settings.host, server.port)
    server.run(settings.grace_seconds)
    pool.close()


if __name__ == "__main__":
    main()

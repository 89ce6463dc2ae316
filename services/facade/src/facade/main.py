"""Composition root of the facade: settings in, application out."""

from uuid import uuid4

from fastapi import FastAPI

from chassis import jwks, service
from chassis.auth import TokenVerifier, operator
from chassis.lifecycle import Lifecycle, serve
from chassis.periodic import Periodic
from chassis.settings import load
from chassis.shared_key import SharedKey
from chassis.storage import Database
from chassis.telemetry import Telemetry
from facade import api, clients, observe, sides
from facade.adapters.session import Sessions
from facade.application import Migration
from facade.budget import Guard
from facade.canary import Visitors
from facade.cutover import Cutover
from facade.parking import ParkedWrites
from facade.placing import PlacedOrders
from facade.proxy import Proxy
from facade.settings import Settings
from facade.shadow import Shadow
from facade.stages import StandingsWatch
from facade.storage import SqlCounts, SqlPresence, SqlStorage
from facade.tally import FLUSH_SECONDS, StoredTally

RETENTION_SECONDS = 600.0


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    bridge: clients.HttpBridge | None = None,
    verifier: TokenVerifier | None = None,
) -> tuple[FastAPI, Lifecycle]:
    """The application and its lifecycle; every dependency can be replaced."""
    database, replica = database or Database(settings), uuid4()
    presence, storage = SqlPresence(database), SqlStorage(database)
    bridge = bridge or clients.bridge(settings.bridge_url, SharedKey.mounted(settings, "bridge_key"))
    cutovers = Cutover(storage, presence, bridge)
    migration = Migration(storage, bridge, cutovers)
    watch = StandingsWatch(presence, replica, cutovers.undo, observe.seen)
    tally = StoredTally(watch, SqlCounts(database), replica)
    sessions = Sessions(settings.session_key.get_secret_value())
    both = sides.connected(settings, sessions, watch, PlacedOrders(presence))
    shadow = Shadow(both.mirror, tally, lambda capability: watch.of(capability).generation)
    parking, visitors, budget = ParkedWrites(watch, tally), Visitors(sessions.open), Guard(migration)
    proxy = Proxy(both.customers, watch, parking, visitors, budget, shadow, tally)
    verifier = verifier or TokenVerifier(jwks.keys_from(settings.jwks_url), settings)
    lifecycle = Lifecycle(
        [
            Telemetry(settings),
            database,
            *bridge.parts,
            *both.parts,
            watch,
            tally,
            Periodic("tally-flush", FLUSH_SECONDS, tally.flush),
            Periodic("retention", RETENTION_SECONDS, presence.forget_old, finish=False),
            shadow,
        ],
    )
    routers = [api.router(migration, operator(verifier)), proxy.router()]
    app = service.create_app(settings, lifecycle, database, routers, api.PROBLEMS, ready=[watch.unknown])
    return app, lifecycle


def main() -> None:
    """Entry point of the process."""
    settings = load(Settings)
    serve(lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()

"""Composition root of the gateway: settings in, a running process out. `python -m gateway.main`."""

import time
from collections.abc import Sequence

from prometheus_client import REGISTRY, CollectorRegistry

from chassis.auth import FetchKeys, TokenVerifier
from chassis.lifecycle import Lifecycle, Part
from chassis.periodic import Periodic
from chassis.retries import RetryPolicy
from chassis.settings import load
from chassis.telemetry import Telemetry
from gateway import serving, upstreams
from gateway.addresses import Lookup
from gateway.admission import Bulkhead, RateLimiter
from gateway.authorize import Authorizer
from gateway.connection import Limits
from gateway.forward import Forwarder
from gateway.observe import AccessLog, Metrics
from gateway.openapi import MergedOpenApi
from gateway.pages import pages
from gateway.proxy import Gateway
from gateway.routes import ROUTES, Route, Router
from gateway.server import Server
from gateway.settings import Settings
from gateway.tracing import Tracer


def create(
    settings: Settings,
    routes: Sequence[Route] = ROUTES,
    fetch_keys: FetchKeys | None = None,
    registry: CollectorRegistry = REGISTRY,
    retries: RetryPolicy | None = None,
    lookup: Lookup | None = None,
) -> tuple[Server, Lifecycle]:
    """The server and the lifecycle that starts and stops it; needs a running loop."""
    telemetry = Telemetry(settings)
    known = upstreams.create(settings, lookup)
    router = Router(routes)
    ceiling = Bulkhead(settings.max_in_flight, "overload", "The gateway is at its limit")
    metrics = Metrics(lambda: {"": ceiling.in_flight, **{u.name: u.bulkhead.in_flight for u in known.values()}})
    registry.register(metrics)
    access_log = AccessLog(settings.origin(), settings.access_log_ratio)
    openapi = MergedOpenApi({u.name: u.pool for u in known.values()}, router.covers, settings.version, time.monotonic)
    gateway = Gateway(
        router=router,
        authorizer=Authorizer(TokenVerifier(fetch_keys or upstreams.fetch_keys(settings.jwks_url), settings)),
        limiter=RateLimiter(settings.rates(), settings.max_clients),
        ceiling=ceiling,
        upstreams=known,
        forwarder=Forwarder(retries or RetryPolicy(), metrics.retries),
        tracer=Tracer(telemetry.recording),
        metrics=metrics,
        access_log=access_log,
        pages=pages(lambda: lifecycle.draining, lambda: lifecycle.dead(), openapi, registry, settings.origin()),
        body_seconds=settings.body_seconds,
    )
    limits = Limits(settings.header_bytes, settings.header_seconds, settings.idle_seconds)
    server = Server(gateway, limits, settings, lambda: lifecycle.draining)
    parts: list[Part] = [
        telemetry,
        access_log,
        upstreams.Connections([u.pool for u in known.values()]),
        Periodic("time-limits", 0.25, server.sweep),
        Periodic("openapi", 2.0, openapi.refresh, finish=False),
        server,
    ]
    lifecycle = Lifecycle(parts, consuming=[server])
    return server, lifecycle


if __name__ == "__main__":
    serving.run(load(Settings), create)

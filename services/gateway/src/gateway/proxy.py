"""The way of a request through the gateway: checked, routed, admitted, forwarded, answered, recorded."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from chassis.auth import Caller
from chassis.breaker import BreakerOpen
from gateway import headers, paths, problems
from gateway.admission import Bulkhead, RateLimiter
from gateway.authorize import Authorizer
from gateway.client import Client
from gateway.exchange import Exchange, Upstream
from gateway.forward import Forwarder
from gateway.observe import AccessLog, Metrics
from gateway.paths import TargetRefused
from gateway.problems import Refusal, retry_after
from gateway.request import ClientGone, Request
from gateway.routes import Route, Router
from gateway.tracing import Trace, Tracer

log = structlog.get_logger(__name__)
CLIENT_GONE = 499
METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
READS = frozenset({b"GET", b"HEAD"})


@dataclass(frozen=True)
class Page:
    """An answer of the gateway itself."""

    status: int
    media_type: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


Pages = Mapping[bytes, Callable[[], Page]]


class Visit:
    """What is known so far of one request, for its record."""

    __slots__ = ("reason", "route", "status", "trace")

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.route: Route | None = None
        self.status = CLIENT_GONE
        self.reason = ""


class Gateway:
    """The server's handler; every collaborator is a parameter."""

    def __init__(
        self,
        router: Router,
        authorizer: Authorizer,
        limiter: RateLimiter,
        ceiling: Bulkhead,
        upstreams: Mapping[str, Upstream],
        forwarder: Forwarder,
        tracer: Tracer,
        metrics: Metrics,
        access_log: AccessLog,
        pages: Pages,
        body_seconds: float,
    ) -> None:
        self._router = router
        self._authorizer = authorizer
        self._limiter = limiter
        self._ceiling = ceiling
        self._upstreams = upstreams
        self._forwarder = forwarder
        self._tracer = tracer
        self._metrics = metrics
        self._access_log = access_log
        self._pages = pages
        self._body_seconds = body_seconds
        self._loop = asyncio.get_running_loop()

    async def __call__(self, request: Request, client: Client) -> None:
        started = time.perf_counter()  # the loop's own clock has steps of a millisecond
        visit = Visit(self._tracer.begin(request.header(b"traceparent")))
        try:
            await self._answer(request, client, visit)
        except Refusal as refusal:
            self._refuse(request, client, visit, refusal)
        except BreakerOpen as error:
            headers = (retry_after(error.retry_after),)
            self._refuse(request, client, visit, Refusal(problems.UNAVAILABLE, str(error), "breaker", headers))
        except ClientGone:
            client.abort()
        except Exception:
            log.exception("gateway.bug", trace_id=visit.trace.id)
            detail = "The error was recorded under this trace id"
            self._refuse(request, client, visit, Refusal(problems.INTERNAL, detail, "bug", close=True))
        finally:
            self._record(request, visit, time.perf_counter() - started)

    async def _answer(self, request: Request, client: Client, visit: Visit) -> None:
        if request.defect is not None:
            raise request.defect
        try:
            target = paths.check(request.target)
        except TargetRefused as error:
            raise Refusal(problems.MALFORMED, f"Refused: {error}", "path", close=True) from error
        page = self._pages.get(target.path)
        if page is not None:
            self._show(request, client, visit, page)
            return
        visit.route = route = self._router.find(target.path)
        if route is None:
            raise Refusal(problems.NOT_FOUND, "No service answers under this path", "no-route")
        if request.method not in METHODS:
            raise Refusal(problems.METHOD_NOT_ALLOWED, "This method is not offered here", "method")
        caller = await self._authorizer.authorize(request, route)
        self._limiter.take(route.rate, request.peer if caller is None else caller.id.int)
        await self._forward(request, client, visit, route, caller)

    async def _forward(
        self, request: Request, client: Client, visit: Visit, route: Route, caller: Caller | None
    ) -> None:
        body_deadline = self._loop.time() + self._body_seconds
        upstream = self._upstreams[route.upstream]
        # Before a place is taken: a body that drips in is no work yet, and must not keep others from theirs.
        whole = request.body.complete or await self._receive(request, client, route, body_deadline)
        self._ceiling.enter()
        try:
            upstream.bulkhead.enter()
            try:
                head = headers.forwarded(request, upstream.pool.authority, caller, visit.trace.traceparent)
                # The time limit is the upstream's: it begins when the client has done its part.
                deadline = self._loop.time() + route.seconds
                exchange = Exchange(request, route, upstream, head, whole, deadline, body_deadline)
                visit.status = await self._forwarder.forward(exchange, client)
            finally:
                upstream.bulkhead.leave()
        finally:
            self._ceiling.leave()

    async def _receive(self, request: Request, client: Client, route: Route, deadline: float) -> bool:
        if request.length is not None and request.length > route.body_limit:
            detail = f"The body may have at most {route.body_limit} bytes"
            raise Refusal(problems.TOO_LARGE, detail, "body-limit", close=True)
        client.proceed(request)
        return await request.body.gather(route.body_limit, deadline)

    def _show(self, request: Request, client: Client, visit: Visit, page: Callable[[], Page]) -> None:
        if request.method not in READS:
            raise Refusal(problems.METHOD_NOT_ALLOWED, "Only GET is offered here", "method", (("allow", "GET, HEAD"),))
        shown = page()
        visit.status = shown.status
        head = headers.lines([(b"content-type", shown.media_type.encode()), *shown.headers])
        if request.method == b"HEAD":
            client.reply(request, shown.status, head, b"", b"content-length: %d\r\n" % len(shown.body))
        else:
            client.reply(request, shown.status, head, shown.body)

    def _refuse(self, request: Request, client: Client, visit: Visit, refusal: Refusal) -> None:
        visit.status, visit.reason = refusal.problem.status, refusal.reason
        self._metrics.refusals[refusal.reason] += 1
        if refusal.close:
            request.keep_alive = False
        instance = request.target.partition(b"?")[0].decode("latin-1") or None
        body = refusal.body(visit.trace.id, instance)
        head = headers.lines(refusal.lines())
        if request.method == b"HEAD":
            client.reply(request, visit.status, head, b"", b"content-length: %d\r\n" % len(body))
        else:
            client.reply(request, visit.status, head, body)

    def _record(self, request: Request, visit: Visit, seconds: float) -> None:
        route = visit.route
        method = request.method.decode("latin-1") if request.method in METHODS else "_OTHER"
        if route is not None:
            sample = (route.prefix, route.upstream, method, visit.status)
        else:
            sample = ("", "", method, visit.status)
        self._metrics.observe(sample, seconds)
        path = request.target.partition(b"?")[0]
        if route is not None or visit.reason:  # probes and metrics stay out of the log
            self._access_log.record(sample, seconds, visit.trace.id, request.peer, path, visit.reason)
        visit.trace.end(method, sample[0], visit.status)

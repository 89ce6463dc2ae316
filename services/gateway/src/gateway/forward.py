"""Forwarding: one exchange with an upstream under its breaker, repeated only where that can do no harm, and its answer
handed on as it arrives."""

import asyncio
from collections import Counter

from chassis.retries import RetryPolicy
from gateway import headers, problems
from gateway.client import Client
from gateway.exchange import Exchange
from gateway.problems import Refusal, retry_after
from gateway.request import Request
from gateway.routes import Retry
from gateway.upstream import CannotConnect, Response, UpstreamConnection, UpstreamError

FAILURE_STATUS = frozenset({500, 502, 503, 504})
RETRY_STATUS = frozenset({502, 503, 504})


class Forwarder:
    """Carries exchanges out. `retried` counts attempts beyond the first by upstream."""

    def __init__(self, policy: RetryPolicy, retried: Counter[str]) -> None:
        self._policy = policy
        self._retried = retried
        self._loop = asyncio.get_running_loop()

    async def forward(self, exchange: Exchange, client: Client) -> int:
        """Answer the client with the upstream's answer, whose status is returned; raises `Refusal`, `BreakerOpen`."""
        try:
            response = await self._respond(exchange)
        except UpstreamError as error:
            detail = f"{exchange.upstream.name} does not answer"
            raise Refusal(problems.UNAVAILABLE, detail, "upstream", (retry_after(1),)) from error
        await self._hand_on(exchange, response, client)
        return response.status

    async def _respond(self, exchange: Exchange) -> Response:
        upstream = exchange.upstream
        upstream.budget.request()
        attempt = 1
        while True:
            response, wish = None, None
            try:
                response = await self._attempt(exchange)
                if response.status not in RETRY_STATUS or not exchange.repeatable:
                    return response
                wish = _retry_after(response)
                pause = self._pause(exchange, attempt, wish)
                if pause is None:
                    return response
            except UpstreamError as error:
                pause = self._pause(exchange, attempt, None) if _may_repeat(exchange, error) else None
                if pause is None:
                    raise
            if response is not None and not response.complete:
                exchange.abandon()
            self._retried[upstream.name] += 1
            await asyncio.sleep(pause)
            attempt += 1

    def _pause(self, exchange: Exchange, attempt: int, wish: float | None) -> float | None:
        """Seconds to wait before the next attempt; None when there must be none."""
        pause = self._policy.pause(attempt) if wish is None else wish
        in_time = self._loop.time() + pause < exchange.deadline
        if attempt < self._policy.attempts and in_time and exchange.upstream.budget.withdraw():
            return pause
        return None

    async def _attempt(self, exchange: Exchange) -> Response:
        breaker = exchange.breaker
        ticket = breaker.admit()
        try:
            response = await self._send(exchange)
        except UpstreamError:
            breaker.failed(ticket)
            raise
        except TimeoutError as error:
            breaker.failed(ticket)
            detail = f"{exchange.upstream.name} did not answer within {exchange.route.seconds:g} s"
            raise Refusal(problems.DEADLINE, detail, "deadline") from error
        except BaseException:
            breaker.ignored(ticket)
            raise
        if response.status in FAILURE_STATUS:
            breaker.failed(ticket)
        else:
            breaker.succeeded(ticket)
        return response

    async def _send(self, exchange: Exchange) -> Response:
        pool = exchange.upstream.pool
        connection = pool.idle()
        if connection is None:
            async with asyncio.timeout_at(exchange.deadline):
                connection = await pool.connect()
        exchange.connection = connection
        left = int((exchange.deadline - self._loop.time()) * 1000)
        head = b"%bx-request-deadline: %d\r\n\r\n" % (exchange.head, max(left, 0))
        bodyless = exchange.request.method == b"HEAD"
        # A timer of the loop, for `asyncio.timeout` would be a tenth of the gateway's work.
        timer = self._loop.call_at(exchange.deadline, connection.expire)
        try:
            if exchange.body is not None:
                return await connection.begin(head + exchange.body, bodyless)
            return await self._stream(exchange, connection, head, bodyless)
        except BaseException:
            connection.close()
            raise
        finally:
            timer.cancel()

    async def _stream(
        self, exchange: Exchange, connection: UpstreamConnection, head: bytes, bodyless: bool
    ) -> Response:
        """Send the body as it arrives; the upstream may answer before it has all of it."""
        answer = connection.begin(head, bodyless, whole=False)
        upload = asyncio.create_task(self._upload(exchange, connection))
        try:
            await asyncio.wait((answer, upload), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                await upload  # raises what is wrong with the body
            return await answer
        finally:
            upload.cancel()
            if not answer.done():
                answer.cancel()

    async def _upload(self, exchange: Exchange, connection: UpstreamConnection) -> None:
        body, limit = exchange.request.body, exchange.route.body_limit
        chunked = exchange.request.length is None
        while True:
            chunk = body.take()
            if chunk:
                await connection.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
            elif body.complete:
                break
            else:
                await body.arrival(limit, exchange.body_deadline)
        if chunked:
            await connection.write(b"0\r\n\r\n")
        connection.sent()

    async def _hand_on(self, exchange: Exchange, response: Response, client: Client) -> None:
        request, connection = exchange.request, exchange.connection
        head = headers.answered(response)
        if response.complete:
            client.reply(request, response.status, head, b"".join(response.chunks), _bodyless(request, response))
            return
        assert connection is not None  # noqa: S101 - there is no response without one
        client.on_congestion = connection.congested
        connection.congested(False)
        client.start(request, response.status, head, response.length)
        try:
            async with asyncio.timeout_at(exchange.deadline):
                await response.attach(client.send)
        except BaseException as error:
            connection.close()
            client.abort()
            if not isinstance(error, (UpstreamError, TimeoutError)):
                raise
        else:
            client.finish(request)


def _may_repeat(exchange: Exchange, error: UpstreamError) -> bool:
    """After a failed connect nothing was sent, so that any request whose body is still here may try again."""
    if isinstance(error, CannotConnect):
        return exchange.body is not None and exchange.route.retry is not Retry.NEVER
    return exchange.repeatable


def _retry_after(response: Response) -> float | None:
    value = response.header(b"retry-after") or b""
    return float(value) if value.isdigit() else None


def _bodyless(request: Request, response: Response) -> bytes | None:
    """The framing of an answer that has no body by definition: its Content-Length tells of another answer."""
    if response.status == 204:
        return b""
    if request.method == b"HEAD" or response.status == 304:
        return b"" if response.length is None else b"content-length: %d\r\n" % response.length
    return None

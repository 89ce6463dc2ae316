"""The old shop over HTTP: each request goes there as it came, each answer comes back to the byte.

aiohttp by itself: httpx and the address type of aiohttp both rewrite an address (`%41` becomes `A`, `/x/../y` becomes
`/y`), and then the old shop answers something that was not asked. An address that is declared encoded is left alone.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict
from yarl import URL

from chassis import deadlines
from chassis.http_client import OutcomeUnknown
from chassis.lifecycle import CLIENT_IDLE_SECONDS
from chassis.telemetry import traceparent
from facade.legacy_http import Headers, LegacyRequest, LegacyResponse
from facade.ports import CannotAnswer
from facade.routing import READS

# RFC 9110, 7.6.1, and what older clients send. They concern one connection, and each side has its own.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_SET_HERE = frozenset({"host", "content-length", "expect", "traceparent", deadlines.HEADER})
# What aiohttp would add, and the old shop was not sent.
_NOT_ADDED = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT)
ADDRESSES_SECONDS = 1
ANSWER_LIMIT = 4 * 1024 * 1024


class LegacyClient:
    """A part of the process, and an `Upstream`. Each has its own pool: the mirror takes no place of a customer.

    `tls`: what it goes to an `https` address with, asked at each request; a connection is used with its own only.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        seconds: float,
        connections: int,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._seconds = seconds
        self._connections = connections
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        connector = aiohttp.TCPConnector(
            limit=self._connections,
            keepalive_timeout=CLIENT_IDLE_SECONDS,
            ttl_dns_cache=ADDRESSES_SECONDS,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            # aiohttp keeps cookies unless told otherwise: the next customer would get the session of the one before.
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_ADDED,
            auto_decompress=False,
            # Half for the connection, a place in the pool included: without one nothing was sent, which is then known.
            timeout=aiohttp.ClientTimeout(total=None, connect=self._seconds / 2),
        )

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def answer(self, request: LegacyRequest) -> LegacyResponse:
        """Raises `CannotAnswer`, or `OutcomeUnknown` when a request that is no read was sent and no answer came."""
        try:
            async with asyncio.timeout(deadlines.remaining(self._seconds)):
                return await self._exchange(request)
        except (TimeoutError, aiohttp.ClientError) as error:
            why = f"the old shop did not answer: {type(error).__name__}"
            if request.method in READS or isinstance(
                error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
            ):
                raise CannotAnswer(why) from error
            raise OutcomeUnknown(why) from error

    async def _exchange(self, request: LegacyRequest) -> LegacyResponse:
        assert self._session is not None, "start() comes first"  # noqa: S101 - a bug in the composition, not input
        query = f"?{request.query}" if request.query else ""
        url = URL(f"{self._base_url}{request.path}{query}", encoded=True)
        async with self._session.request(
            request.method,
            url,
            headers=_sent(request),
            data=request.body or None,
            allow_redirects=False,
            ssl=self._tls() if self._tls else True,
        ) as answer:
            body = await _whole(answer)
            return LegacyResponse(answer.status, _received(answer, request.method, len(body)), body)


def _sent(request: LegacyRequest) -> CIMultiDict[str]:
    kept: CIMultiDict[str] = CIMultiDict(_end_to_end(request.headers, _SET_HERE))
    if request.body or request.method not in READS:
        kept["Content-Length"] = str(len(request.body))
    if (parent := traceparent()) is not None:
        kept["traceparent"] = parent
    return kept


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > ANSWER_LIMIT:
            raise aiohttp.ClientPayloadError("an answer of more than 4 MiB")
    return bytes(body)


def _received(answer: aiohttp.ClientResponse, method: str, length: int) -> Headers:
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers]
    headers = _end_to_end(pairs)
    # An answer in chunks has no length: it was read to its end, so by now it has one.
    bodiless = method == "HEAD" or answer.status in (204, 304)
    if bodiless or any(name.lower() == "content-length" for name, _ in headers):
        return headers
    return (*headers, ("Content-Length", str(length)))


def _end_to_end(headers: Iterable[tuple[str, str]], also: frozenset[str] = frozenset()) -> Headers:
    """Without those of one connection, among them the ones that `Connection` names."""
    pairs = tuple(headers)
    named = {each.strip().lower() for name, value in pairs if name.lower() == "connection" for each in value.split(",")}
    dropped = HOP_BY_HOP | named | also
    return tuple((name, value) for name, value in pairs if name.lower() not in dropped)

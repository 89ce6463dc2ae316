"""The old shop as its customers use it: pages in a browser, and the old API. Every request is sent once."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any, Self, TypeVar

import orjson
from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.request import RequestBuilder
from pyreqwest.response import Response

# Longer than a parked write may be held, and than a checkout of the new side may take.
REQUEST_TIMEOUT = timedelta(seconds=20)
T = TypeVar("T")
_CSRF = re.compile(r'name="csrf"[^>]*value="([^"]+)"')
GOOD_CARD = "tok_ok"


_SOLD_OUT = re.compile(r"not enough stock of (\d+)")


class Refused(Exception):
    """An answer that the old shop does not promise, or none."""


class SoldOut(Exception):
    """Somebody else was quicker: an answer as good as any other."""

    def __init__(self, product: int) -> None:
        super().__init__(f"not enough stock of {product}")
        self.product = product


@dataclass
class Customer:
    """Somebody with an account of the old shop. `lock`: a browser's cookie is changed by one request at a time."""

    email: str
    password: str
    name: str = "An Old Reader"
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""
    orders: list[int] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True)
class Page:
    """A page as a browser got it, or where it was sent instead."""

    status: int
    text: str
    location: str | None


# Told of each request: operation, when it was begun (seconds since the epoch), how long it took, what was wrong.
Observe = Callable[[str, float, float, str | None], None]


class OldShop:
    """One client of the gateway for all customers of the old shop. Use as `async with OldShop(url, observe)`."""

    def __init__(self, url: str, observe: Observe = lambda *_: None) -> None:
        self._observe = observe
        builder = ClientBuilder().base_url(url).no_proxy().follow_redirects(False)
        self._client = builder.timeout(REQUEST_TIMEOUT).connect_timeout(timedelta(seconds=2)).build()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def api(
        self,
        operation: str,
        method: str,
        path: str,
        customer: Customer | None = None,
        body: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """The body of an answer that says ok; raises `Refused` or `SoldOut`."""
        builder = self._client.request(method, f"/legacy/api/{path}").query(query or {})
        if customer is not None:
            builder = builder.basic_auth(customer.email, customer.password)
        if body is not None:
            builder = builder.body_bytes(orjson.dumps(body)).header("Content-Type", "application/json")

        async def judge(response: Response) -> Any:
            payload = bytes(await response.bytes())
            found = orjson.loads(payload) if response.status == 200 else None
            _check_stock(response.status, payload.decode(errors="replace"))
            if not isinstance(found, dict) or found.get("ok") != 1:
                raise Refused(f"{response.status} {payload[:200].decode(errors='replace')}")
            return found

        return await self._once(operation, builder, judge)

    async def page(
        self,
        operation: str,
        method: str,
        path: str,
        customer: Customer,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        *,
        leads_to: str | None = None,
    ) -> Page:
        """A page (200), or with `leads_to` a redirection to an address that begins so; raises `Refused` or `SoldOut`.

        The customer's cookies are sent and renewed, as a browser does it.
        """
        builder = self._client.request(method, f"/legacy/{path}").query(query or {})
        if customer.cookies:
            builder = builder.header("Cookie", "; ".join(f"{name}={value}" for name, value in customer.cookies.items()))
        if form is not None:
            builder = builder.form({"csrf": customer.csrf, **form})

        async def judge(response: Response) -> Page:
            text = bytes(await response.bytes()).decode(errors="replace")
            _keep_cookies(customer, response)
            location = response.get_header("location")
            _check_stock(response.status, text)
            good = response.status == 200 if leads_to is None else response.status in (302, 303)
            if not good or (leads_to is not None and not (location or "").startswith(f"/legacy/{leads_to}")):
                raise Refused(f"{response.status} to {location}: {text[:200]}")
            if (csrf := _CSRF.search(text)) is not None:
                customer.csrf = csrf.group(1)
            return Page(response.status, text, location)

        return await self._once(operation, builder, judge)

    async def _once(self, operation: str, builder: RequestBuilder, judge: Callable[[Response], Awaitable[T]]) -> T:
        at, begun, wrong = time.time(), time.perf_counter(), None
        try:
            return await judge(await builder.build().send())
        except (PyreqwestError, orjson.JSONDecodeError) as error:
            wrong = f"{type(error).__name__}: {error}"
            raise Refused(wrong) from error
        except Refused as error:
            wrong = str(error)
            raise
        finally:
            self._observe(operation, at, time.perf_counter() - begun, wrong)


def _check_stock(status: int, text: str) -> None:
    if status == 200 and (found := _SOLD_OUT.search(text)) is not None:
        raise SoldOut(int(found.group(1)))


def _keep_cookies(customer: Customer, response: Response) -> None:
    for header in response.get_header_all("set-cookie"):
        for name, morsel in SimpleCookie(header).items():
            customer.cookies[name] = morsel.value

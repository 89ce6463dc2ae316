"""So many requests a second, whatever becomes of them, each sent once: `python -m tests.traffic.steady --rate 50`.

For a shop that is being changed while customers are in it. Ends after `--seconds`, or at SIGTERM. Exit code 0; 1 when a
request failed: it was not answered, or not with what the API promises for it.
"""

import argparse
import asyncio
import functools
import os
import random
import secrets
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
import uvloop
from pyreqwest.exceptions import PyreqwestError

from tests.traffic.api import Api, Request
from tests.traffic.balancer import Balancer
from tests.traffic.old_load import OldLoad
from tests.traffic.old_shop import OldShop
from tests.traffic.plan import Title
from tests.traffic.record import Record
from tests.traffic.run import in_turn
from tests.traffic.shopper import Shopper, browse
from tests.traffic.tally import Tally, distribution

CUSTOMERS = 4
# Of fifty requests: each of the shop's services has a part in them.
MIX = {"search": 14, "book": 8, "stock": 6, "order": 8, "list": 4, "payment": 3, "place": 4, "log in": 2, "register": 1}
EXPECTED = {"place": 202, "register": 201}


@dataclass
class Customer:
    """Somebody who has an order already."""

    shopper: Shopper
    token: str
    orders: list[str]


class Mixed(Protocol):
    """A kind of customers: the names of what they do, a round of them, and each one by its name."""

    def operations(self) -> list[str]: ...

    async def one(self, operation: str, number: int) -> None: ...


class Load:
    """Makes requests of the mix and judges the answers."""

    def __init__(
        self, balancer: Balancer, customers: Sequence[Customer], books: Sequence[Title], record: Record
    ) -> None:
        self._balancer = balancer
        self._customers = customers
        self._books = books
        self._record = record
        self._random = random.Random(0)
        self._name = secrets.token_hex(4)

    def operations(self) -> list[str]:
        """One round of the mix, shuffled the same way in every run."""
        mixed = [name for name, share in MIX.items() for _ in range(share)]
        self._random.shuffle(mixed)
        return mixed

    async def one(self, operation: str, number: int) -> None:
        """One request from its begin to its judgement."""
        customer = self._customers[number % len(self._customers)]
        request = self._request(operation, number, customer)
        at, begun = time.time(), time.perf_counter()
        self._record.timeline[int(at)][0] += 1
        try:
            answer = await self._balancer.send(request)
        except (PyreqwestError, OSError) as error:
            self._record.failed(operation, at, type(error).__name__, str(error))
            return
        if answer.status != EXPECTED.get(operation, 200):
            self._record.failed(operation, at, f"{answer.status} {answer.problem or ''}".strip(), str(answer.body))
            return
        self._record.good(operation, time.perf_counter() - begun)
        if operation == "place":
            customer.orders.append(str(answer.body["id"]))
        elif operation == "log in":
            customer.token = str(answer.body["access_token"])

    def _request(self, operation: str, number: int, customer: Customer) -> Request:
        book = self._random.choice(self._books)
        order = self._random.choice(customer.orders[-20:])
        token, shopper = customer.token, customer.shopper
        name = f"steady-{self._name}-{number}"
        made: dict[str, Callable[[], Request]] = {
            "search": lambda: _get("/api/catalog/books", query={"q": book.title.split()[0]}),
            "book": lambda: _get(f"/api/catalog/books/{book.isbn}"),
            "stock": lambda: _get(f"/api/inventory/stock/{book.isbn}"),
            "order": lambda: _get(f"/api/orders/{order}", token),
            "list": lambda: _get("/api/orders", token, {"limit": "10"}),
            # The first order's: those of just now may not have been charged yet.
            "payment": lambda: _get(f"/api/payments/{customer.orders[0]}", token),
            "place": lambda: _order(book.isbn, name, token),
            "log in": lambda: _account("tokens", shopper.email, shopper.password),
            "register": lambda: _account("customers", f"{name}@example.com", shopper.password, name="A Reader"),
        }
        return made[operation]()


def _get(path: str, token: str | None = None, query: dict[str, str] | None = None) -> Request:
    return Request("", "GET", path, token=token, query=query)


def _order(isbn: str, key: str, token: str) -> Request:
    body = {"lines": [{"isbn": isbn, "quantity": 1}], "card_token": "tok_ok"}
    return Request("", "POST", "/api/orders", token=token, body=body, headers={"Idempotency-Key": key})


def _account(collection: str, email: str, password: str, **more: str) -> Request:
    return Request("", "POST", f"/api/identity/{collection}", body={"email": email, "password": password, **more})


async def drive(load: "Mixed", rate: float, seconds: float, stop: asyncio.Event) -> float:
    """An open loop, until the time is over or `stop` is set; returns the seconds it lasted."""
    begun, number, round_ = time.monotonic(), 0, load.operations()
    async with asyncio.TaskGroup() as requests:
        while not stop.is_set() and (now := time.monotonic() - begun) < seconds:
            if now < number / rate:
                await asyncio.sleep(number / rate - now)
            requests.create_task(load.one(round_[number % len(round_)], number))
            number += 1
    return time.monotonic() - begun


async def prepare(url: str) -> tuple[list[Customer], list[Title]]:
    """Customers with one confirmed order each, and the catalogue; patiently, for nothing is measured yet."""
    async with Api(url, Tally()) as api:
        books = await browse(api)
        name = secrets.token_hex(4)
        emails = [f"steady-{name}-{number}@example.com" for number in range(CUSTOMERS)]
        shoppers = [Shopper(api, email, secrets.token_urlsafe(12), email) for email in emails]
        customers: list[Customer] = []

        async def begin(shopper: Shopper) -> None:
            await shopper.register()
            credentials = _account("tokens", shopper.email, shopper.password)
            token = str((await api.call(credentials, 200)).body["access_token"])
            placed = await api.call(_order(books[0].isbn, shopper.email, token), 202)
            order = str(placed.body["id"])
            while (await api.call(_get(f"/api/orders/{order}", token), 200)).body["state"] != "confirmed":
                await asyncio.sleep(0.1)
            customers.append(Customer(shopper, token, [order]))

        await in_turn(CUSTOMERS, [functools.partial(begin, shopper) for shopper in shoppers])
    return customers, books


async def run(url: str, client: str, rate: float, seconds: float) -> dict[str, Any]:
    """Everything that was measured; with both clients each has half of the rate."""
    record, stop = Record(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Balancer(url) as balancer, OldShop(url, record.observe) as old_shop:
        loads: list[Mixed] = []
        if client != "legacy":
            loads.append(Load(balancer, *await prepare(url), record))
        if client != "modern":
            loads.append(await OldLoad.begin(old_shop, record))
        record.begin()
        sys.stderr.write("steady: begun\n")
        lasted = max(await asyncio.gather(*(drive(load, rate / len(loads), seconds, stop) for load in loads)))
    latencies = {name: distribution(values) for name, values in record.latencies.items()}
    return {
        "client": client,
        "rate": rate,
        "seconds": lasted,
        "sent": sum(sent for sent, _ in record.timeline.values()),
        "failed": sum(failed for _, failed in record.timeline.values()),
        "why": dict(record.why),
        "latency": {**latencies, "all": distribution([v for values in record.latencies.values() for v in values])},
        "answered_by": dict(balancer.sent),
        "refused_connections": dict(balancer.refused),
        "timeline": {str(second): counts for second, counts in sorted(record.timeline.items())},
        "failures": record.failures,
    }


def main() -> int:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.traffic.steady", description=__doc__)
    parser.add_argument("--url", default=os.environ.get("BANYAN_URL", "http://127.0.0.1:8080"))
    parser.add_argument("--client", choices=("modern", "legacy", "both"), default="modern", help="whose customers")
    parser.add_argument("--rate", type=float, default=50, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60, help="the longest that it may last")
    parser.add_argument("--json", action="store_true", help="print all figures instead of two lines")
    options = parser.parse_args()
    found = uvloop.run(run(options.url.rstrip("/"), options.client, options.rate, options.seconds))
    print(orjson.dumps(found).decode() if options.json else _told(found))
    return int(bool(found["failed"]))


def _told(found: dict[str, Any]) -> str:
    times = found["latency"]["all"]
    shown = ", ".join(f"{name} {1000 * times[name]:.0f} ms" for name in ("p50", "p99", "max") if name in times)
    why = "".join(f"\n  {count:>6}  {kind}" for kind, count in found["why"].items())
    return f"{found['sent']} requests in {found['seconds']:.1f} s, {found['failed']} failed; {shown}{why}"


if __name__ == "__main__":
    sys.exit(main())

"""The shop as a process: settings, its log, and a stop that lets nobody down. With the real card processor, too."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import httpx
import pytest

from conftest import MakeDatabase, ServiceDatabase
from deploy.local.servers import free_port
from legacy.db import Pool
from legacy.settings import Settings
from services.legacy.tests.fakes import API_KEY, PASSWORD, CardCompany, rows, until

CUSTOMER = {"email": "ann@example.com", "name": "Ann", "password": PASSWORD}
BASIC = (CUSTOMER["email"], PASSWORD)
ORDER = {"items": [{"id": 12, "qty": 1}]}


class Process:
    """`python -m legacy.main` with its secrets in files."""

    def __init__(self, settings: Settings, psp_url: str, folder: Path) -> None:
        port = free_port()
        self.log = folder / "log"
        secrets = folder / "secrets"
        secrets.mkdir()
        for name in ("database_password", "psp_api_key", "session_key"):
            (secrets / name).write_text(f"{getattr(settings, name)}\n")
        environment = {
            "PATH": os.environ["PATH"],
            "PORT": str(port),
            "DATABASE_URL": settings.database_url,
            "PSP_URL": psp_url,
            "SECRETS_DIR": str(secrets),
        }
        self._output: IO[bytes] = self.log.open("wb")
        command = [sys.executable, "-m", "legacy.main"]
        self.process = subprocess.Popen(command, env=environment, stderr=self._output)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}/legacy", auth=BASIC, timeout=20)
        until(self.is_up)

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.client.get("/health").text == "ok"
        except httpx.TransportError:
            return False

    def refuses(self) -> bool:
        """Whether nobody listens any more."""
        try:
            httpx.get(f"{self.client.base_url}health")
        except httpx.ConnectError:
            return True
        return False

    def close(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._output.close()


@pytest.fixture
def shop(settings: Settings, card_company: CardCompany, tmp_path: Path) -> Iterator[Process]:
    process = Process(settings, card_company.url, tmp_path)
    yield process
    process.close()


@pytest.fixture
async def psp_database(make_database: MakeDatabase) -> ServiceDatabase:
    return await make_database("psp")


@pytest.fixture
def psp_url(psp_database: ServiceDatabase) -> Iterator[str]:
    """A running psp."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "PSP_API_KEY": API_KEY,
        "DATABASE_URL": psp_database.url,
        "DATABASE_PASSWORD": psp_database.password,
        "DRAIN_SECONDS": "0",
    }
    process = subprocess.Popen([sys.executable, "-m", "psp.main"], env=environment, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz").is_success
        except httpx.TransportError:
            return False

    until(ready)
    yield url
    process.kill()
    process.wait()


def test_an_order_is_charged_at_the_real_card_processor(
    settings: Settings, psp_url: str, pool: Pool, tmp_path: Path
) -> None:
    shop = Process(settings, psp_url, tmp_path)
    shop.client.post("/api/register", json=CUSTOMER)
    cards = ["tok_ok", "tok_declined", "tok_answer_lost", "tok_unavailable_once", "tok_nobody_knows"]
    answers = [shop.client.post("/api/orders", json={**ORDER, "card": card}).json() for card in cards]
    shop.close()
    assert [answer.get("error", "paid") for answer in answers] == [
        "paid", "card declined", "paid", "card processor down", "card declined",
    ]  # fmt: skip
    charges = rows(pool, "SELECT order_id, amount, reference FROM charges ORDER BY id")
    assert [charge["order_id"] for charge in charges] == [answers[0]["order"]["id"], answers[2]["order"]["id"]]
    for charge in charges:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        key = f"legacy-{charge['order_id']}"
        ledger = httpx.get(f"{psp_url}/v1/charges/by-key/{key}", headers=headers).json()
        assert (ledger["id"], ledger["amount"]) == (charge["reference"], int(charge["amount"] * 100))


def test_a_stop_finishes_what_was_begun(shop: Process, card_company: CardCompany) -> None:
    shop.client.post("/api/register", json=CUSTOMER)
    with ThreadPoolExecutor(1) as threads:
        order = threads.submit(shop.client.post, "/api/orders", json={**ORDER, "card": "tok_held"})
        until(lambda: len(card_company.asked) == 1)
        shop.process.send_signal(signal.SIGTERM)
        until(shop.refuses)
        card_company.go_on.set()
        assert order.result().json()["ok"] == 1
    assert shop.process.wait(10) == 0


def test_a_stop_does_not_wait_for_connections_on_which_nothing_happens(shop: Process) -> None:
    shop.client.get("/health")
    shop.process.send_signal(signal.SIGTERM)
    assert shop.process.wait(10) == 0


def test_each_request_is_a_line_in_the_log(shop: Process) -> None:
    shop.client.get("/search", params={"q": 'a\n" 200'})
    shop.client.post("/api/register", json=CUSTOMER)
    lines = [line for line in shop.log.read_text().splitlines() if "HTTP/1.1" in line]
    assert len(lines) == 2
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[.*\] "GET /legacy/search\?q=a%0A%22(%20|\+)200 HTTP/1\.1" 200 \d+ .*ms', lines[0]
    )
    assert PASSWORD not in shop.log.read_text()


def test_missing_settings_are_named_all_at_once() -> None:
    command = [sys.executable, "-m", "legacy.main"]
    done = subprocess.run(command, env={"PORT": "x"}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    for name in ("PORT: not a number", "DATABASE_URL", "DATABASE_PASSWORD", "PSP_URL", "PSP_API_KEY", "SESSION_KEY"):
        assert name in done.stderr

"""Logs: one JSON object a line, with the trace's id, and without secrets."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

APPS = Path(__file__).parent / "apps"
TRACE = "0af7651916cd43dd8448eb211c80319c"

PROGRAM = """
import asyncio, logging
import httpx, structlog
from sample.main import Settings, create_app
from chassis import logs
from chassis.settings import load
from chassis.telemetry import Telemetry

settings = load(Settings)
logs.configure(settings)

async def main():
    await Telemetry(settings).start()
    app, _, _ = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        headers = {"traceparent": "00-TRACE-b7ad6b7169203331-01", "authorization": "Bearer credential"}
        await client.get("/notes/1?search=private", headers=headers)
        await client.post("/notes", json={"text": "confidential"}, headers=headers)
        await client.get("/bug", headers=headers)
        await client.get("/healthz", headers=headers)

asyncio.run(main())
structlog.get_logger().info("structured", number=1, path=settings, text="two\\nlines \\ud800")
structlog.get_logger().debug("too fine")
logging.getLogger("foreign.library").warning("as %s", "text")
logging.getLogger("foreign.library").info("kept too")
logging.getLogger("httpx").info("HTTP Request: chatter")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("foreign.library").exception("broken")
""".replace("TRACE", TRACE)


@pytest.fixture(scope="module")
def output() -> str:
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(APPS),
        "PORT": "0",
        "VERSION": "1.2.3",
        "COMMIT": "0123456789ab",
        "DATABASE_URL": "postgresql://sample@127.0.0.1:1/sample",
        "DATABASE_PASSWORD": "opensesame",
        "NATS_URL": "nats://127.0.0.1:1",
        "NATS_USER": "sample",
        "NATS_PASSWORD": "abracadabra",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_every_line_is_one_json_object_of_the_same_shape(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        assert {"event", "level", "time"} <= line.keys(), line
        assert (line["service"], line["version"], line["commit"]) == ("sample", "1.2.3", "0123456789ab")
        assert line["time"].endswith("Z")


def test_records_of_libraries_look_like_our_own(lines: list[dict[str, Any]]) -> None:
    foreign = [line for line in lines if line.get("logger") == "foreign.library"]
    assert [(line["level"], line["event"]) for line in foreign] == [
        ("warning", "as text"),
        ("info", "kept too"),
        ("error", "broken"),
    ]
    assert "ZeroDivisionError" in foreign[2]["exception"]
    assert not any("chatter" in line["event"] for line in lines)


def test_a_request_is_one_line_with_its_trace_and_route(lines: list[dict[str, Any]]) -> None:
    requests = [line for line in lines if line["event"] == "http.request"]
    assert [(line["method"], line["route"], line["status"]) for line in requests] == [
        ("GET", "/notes/{number}", 404),
        ("POST", "/notes", 503),
        ("GET", "/bug", 500),
    ]
    assert {line["trace_id"] for line in requests} == {TRACE}


def test_a_bug_is_logged_once_with_its_trace(lines: list[dict[str, Any]]) -> None:
    (bug,) = [line for line in lines if "swordfish" in line.get("exception", "")]
    assert (bug["event"], bug["trace_id"]) == ("http.bug", TRACE)


def test_neither_secrets_nor_bodies_nor_queries_are_logged(output: str) -> None:
    for word in ("opensesame", "abracadabra", "credential", "confidential", "private"):
        assert word not in output


def test_text_that_json_cannot_hold_is_logged_all_the_same(lines: list[dict[str, Any]]) -> None:
    (line,) = [line for line in lines if line["event"] == "structured"]
    assert line["number"] == 1
    assert line["text"].startswith("two\nlines")

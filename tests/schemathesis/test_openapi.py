"""Each service does what its OpenAPI document says, whatever it is asked, and never answers 5xx.

Schemathesis as a program rather than as fixtures: it shows what it has tried, and how to try it again by hand. The
services are processes over databases of their own, so that what it writes disturbs no other test.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import PostgresServer
from tests.schemathesis.services import Running, running, with_openapi

SEED = 20260314
EXAMPLES = {"customer": 5, "operator": 15, "merchant": 15, "facade": 15}
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
# A path's ISBN is as good as never right by chance: the operator asks for books that exist, the customer for anything.
CONFIG = """
[parameters]
"path.isbn" = "9799001000010"
"""
# Waits for what may never come, and then says so with 504, which is its promise.
LEFT_OUT = "/api/bridge/drains"
CALLERS = {"psp": ("merchant",), "bridge": ("facade",)}
CALLS = [
    pytest.param(service, caller, id=f"{service} as {caller}")
    for service in with_openapi()
    for caller in CALLERS.get(service, ("customer", "operator"))
]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Running]:
    """All services, ready."""
    with running(tmp_path_factory.mktemp("services"), postgres_server) as shop:
        yield shop


@pytest.mark.parametrize(("service", "caller"), CALLS)
def test_a_service_keeps_the_promises_of_its_openapi_document(
    services: Running, tmp_path: Path, service: str, caller: str
) -> None:
    url = f"{services.place.ports.url(service)}/openapi.json"
    command = [
        *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "--no-color"),
        *_config(tmp_path, caller),
        *("run", url, "--header", f"Authorization: Bearer {services.tokens[caller]}"),
        *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--warnings", "off"),
        *("--seed", str(SEED), "--max-examples", str(EXAMPLES[caller]), "--generation-database", "none"),
        *("--exclude-path", LEFT_OUT),
    ]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "No issues found" in result.stdout


def _config(folder: Path, caller: str) -> list[str]:
    if caller != "operator":
        return []
    path = folder / "schemathesis.toml"
    path.write_text(CONFIG)
    return ["--config-file", str(path)]


def test_every_service_with_an_interface_is_among_them() -> None:
    known = {"bridge", "catalog", "facade", "identity", "inventory", "orders", "payments", "psp"}
    assert set(with_openapi()) == known

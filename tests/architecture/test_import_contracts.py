"""The import contracts hold, cover every service, and are able to fail."""

import configparser
import subprocess
import sysconfig
from pathlib import Path

from tests.architecture.services import OURS, ROOT, SERVICES

LINT = str(Path(sysconfig.get_path("scripts")) / "lint-imports")


def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


def test_the_contracts_name_every_service() -> None:
    names = {service.name for service in SERVICES}
    parser = contracts()
    assert set(parser["importlinter"]["root_packages"].split()) == names | {"chassis"}
    assert set(parser["importlinter:contract:independent"]["modules"].split()) == names
    assert set(parser["importlinter:contract:chassis"]["forbidden_modules"].split()) == names
    # Two whose insides are of a kind of their own, and the gateway, which has layers of neither.
    others = {name: set(parser[f"importlinter:contract:{name}"]["containers"].split()) for name in ("bridge", "facade")}
    assert others == {"bridge": {"bridge"}, "facade": {"facade"}}
    layered = set(parser["importlinter:contract:layers"]["containers"].split())
    assert layered == {service.name for service in OURS} - {"gateway", *others}
    for part in ("storage", "clients"):
        present = {f"{service.name}.{part}" for service in SERVICES if service.has(part)}
        assert present <= set(parser["importlinter:contract:storage"]["source_modules"].split())
    for part in ("application", "domain", "saga"):
        present = {f"{service.name}.{part}" for service in SERVICES if service.has(part)}
        assert present <= set(parser["importlinter:contract:frameworks"]["source_modules"].split())


def test_the_contracts_are_kept() -> None:
    done = subprocess.run([LINT, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_broken_contract_fails(tmp_path: Path) -> None:
    parser = contracts()
    parser["importlinter:contract:broken"] = {
        "name": "broken",
        "type": "forbidden",
        "source_modules": "orders.main",
        "forbidden_modules": "orders.domain",
    }
    config = tmp_path / "contracts"
    with config.open("w") as file:
        parser.write(file)
    command = [LINT, "--config", str(config), "--contract", "broken", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout

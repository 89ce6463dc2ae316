"""Who waits for whom, how long a stop may take, and that each container is told what its program reads."""

import ast
from dataclasses import MISSING, fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from chassis import bus, consumer, lifecycle, migrate, periodic, relay, replay, storage, telemetry
from chassis.settings import ServiceSettings
from deploy.local.place import ROOT
from deploy.local.programs import BY_NAME, DRAIN_SECONDS, GRACE_SECONDS, GUESTS, STOP_SECONDS
from tests.compose.composition import DEPLOYABLES, WITH_DATABASE, depends_on, seconds, services

# By the image, or by the folder of secrets.
FROM_THE_IMAGE = {"HOST", "PORT", "COMMIT"}
# FAULTS is read by nobody: it makes Compose start a service anew, which reads its token at a start only.
NOT_A_FIELD = {"SECRETS_DIR", "FAULTS"}
# The programs that are no services, and where their sources lie.
SOURCES_OF_TOOLS = {
    "setup": ("deploy/compose", "deploy/local"),
    "seed": ("deploy/compose", "deploy/local"),
    "traffic": ("tests/traffic", "deploy/local"),
    "verify": ("tests/invariants",),
}


OURS = [name for name in DEPLOYABLES if BY_NAME[name].chassis]


def settings_of(name: str) -> type[BaseSettings]:
    cls: type[BaseSettings] = import_module(f"{name}.settings").Settings
    return cls


def _known(cls: type[BaseSettings]) -> set[str]:
    return {name.upper() for name in cls.model_fields} | NOT_A_FIELD


def _missing(cls: type[BaseSettings], given: set[str]) -> set[str]:
    required = {name.upper() for name, field in cls.model_fields.items() if field.is_required()}
    return required - given - FROM_THE_IMAGE


@pytest.mark.parametrize("name", OURS)
def test_a_service_is_told_what_it_reads_and_nothing_else(name: str) -> None:
    given = set(services()[name]["environment"])
    secrets = {secret.upper() for secret in BY_NAME[name].secret_names()}
    assert given - _known(settings_of(name)) == set(), "nobody reads these"
    assert _missing(settings_of(name), given | secrets) == set()
    assert not given & secrets, "a secret is a file"
    assert ("NATS_USER" in given) == ("NATS_PASSWORD" in secrets)


def test_the_old_shop_is_told_what_it_reads_and_nothing_else() -> None:
    known = fields(settings_of("legacy"))  # type: ignore[arg-type]  # a class of its own, without pydantic
    given = set(services()["legacy"]["environment"]) - NOT_A_FIELD
    secrets = {secret.upper() for secret in BY_NAME["legacy"].secret_names()}
    assert given <= {field.name.upper() for field in known}
    needed = {field.name.upper() for field in known if field.default is MISSING}
    assert needed - given - FROM_THE_IMAGE - secrets == set()
    assert not given & secrets, "a secret is a file"


@pytest.mark.parametrize(
    ("name", "cls", "secrets"),
    [
        *((f"{name}-migrate", migrate.Settings, {"DATABASE_PASSWORD"}) for name in WITH_DATABASE if name in OURS),
        ("replay", replay.Settings, {"NATS_PASSWORD"}),
    ],
)
def test_a_command_is_told_what_it_reads(name: str, cls: type[BaseSettings], secrets: set[str]) -> None:
    given = set(services()[name]["environment"])
    assert given - _known(cls) == set()
    assert _missing(cls, given | secrets) == set()


@pytest.mark.parametrize("name", sorted(SOURCES_OF_TOOLS))
def test_a_tool_is_told_what_it_reads(name: str) -> None:
    files = [file for folder in SOURCES_OF_TOOLS[name] for file in (ROOT / folder).glob("*.py")]
    text = "\n".join(file.read_text() for file in files)
    assert [key for key in services()[name]["environment"] if f'"{key}"' not in text] == []


@pytest.mark.parametrize("name", WITH_DATABASE)
def test_a_service_starts_after_its_migration_and_that_after_its_database(name: str) -> None:
    assert depends_on(services()[name])[f"{name}-migrate"] == "service_completed_successfully"
    assert depends_on(services()[f"{name}-migrate"]) == {f"{name}-db": "service_healthy"}
    command = ["-m", "chassis.migrate", name] if name in OURS else ["-m", f"{name}.install"]
    assert services()[f"{name}-migrate"]["command"] == command
    assert services()[f"{name}-migrate"]["build"] == services()[name]["build"], "the code that it migrates for"


def test_a_guest_starts_after_the_database_of_its_host_was_made() -> None:
    for name, host in GUESTS.items():
        assert depends_on(services()[name]) == {f"{host}-migrate": "service_completed_successfully"}
        assert services()[f"{host}-db"]["environment"]["GUEST"] == name
        assert services()[name]["environment"]["DATABASE_URL"] == f"postgresql://{name}@{host}-db:5432/{host}"


@pytest.mark.parametrize("name", [f"{name}-db" for name in WITH_DATABASE] + ["nats", "legacy-envoy"])
def test_a_server_starts_after_its_secrets_were_made(name: str) -> None:
    assert depends_on(services()[name])["setup"] == "service_completed_successfully"


@pytest.mark.parametrize("name", DEPLOYABLES)
def test_no_service_waits_for_another_one(name: str) -> None:
    """They must bear each other's absence at any time, so at the start too."""
    assert not set(depends_on(services()[name])) & set(DEPLOYABLES)


@pytest.mark.parametrize("name", OURS)
def test_there_is_time_for_the_longest_drain(name: str) -> None:
    assert longest_drain(name) <= STOP_SECONDS, "as a process"
    assert seconds(services()[name]["stop_grace_period"]) >= longest_drain(name), "as a container"


def longest_drain(name: str) -> float:
    """What a stop may take in the worst case, part by part, as `chassis/lifecycle.py` does them one after another."""
    environment: dict[str, Any] = services()[name]["environment"]
    defaults = {key: field.default for key, field in ServiceSettings.model_fields.items()}
    probe_period = float(environment.get("DRAIN_SECONDS", defaults["drain_seconds"]))
    requests = float(environment.get("GRACE_SECONDS", defaults["grace_seconds"]))
    parts = probe_period + lifecycle.NEWCOMER_SECONDS + requests + telemetry.STOP_SECONDS
    # Whatever is interrupted at a silent database takes as long as that database lets its connection wait.
    unwind = storage.CLOSE_SECONDS if BY_NAME[name].database else 0
    parts += (
        sum(
            unwind + (periodic.STOP_SECONDS if finishes else 0) for finishes in periodic_parts(ROOT / "services" / name)
        )
        + unwind
    )
    if BY_NAME[name].bus:
        consuming = consumer.FETCH_TIMEOUT + 0.5 + consumer.HANDLER_TIMEOUT + unwind
        parts += consuming + relay.STOP_SECONDS + unwind + bus.FLUSH_SECONDS
    return parts


def periodic_parts(program: Path) -> list[bool]:
    """Of each `Periodic` that a program's source makes, whether a stop lets it finish."""
    trees = [ast.parse(file.read_text()) for file in (program / "src").rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Periodic"]
    return [all(word.arg != "finish" for word in call.keywords) for call in made]


def test_every_part_that_a_stop_waits_for_is_counted() -> None:
    assert sorted(periodic_parts(ROOT / "services" / "orders")) == [False, False, True]
    assert periodic_parts(ROOT / "chassis") == [False], "in a consumer, and the time of that is added up without it"


def test_containers_drain_as_processes_do() -> None:
    """`make up` says it, compose.yaml leaves it to the defaults."""
    fields = ServiceSettings.model_fields
    assert (fields["drain_seconds"].default, fields["grace_seconds"].default) == (DRAIN_SECONDS, GRACE_SECONDS)


def test_every_deployable_runs_by_its_own_image() -> None:
    for name in DEPLOYABLES:
        service = services()[name]
        assert service["image"] == f"banyan/{name}:${{COMMIT:-dev}}"
        assert service["build"]["args"]["SERVICE"] == name
        assert "command" not in service
        assert "entrypoint" not in service

"""A service asks for the extras of the chassis that it imports something of, and for no other."""

import re
from pathlib import Path

import pytest

from tests.architecture.extras import EXTRAS, MODULES, asked_for, extras_of, needed_by, reached_from
from tests.architecture.services import OURS, ROOT, Service, imports_when_run


@pytest.mark.parametrize("service", OURS, ids=lambda service: service.name)
def test_a_service_asks_for_what_it_imports_and_nothing_else(service: Service) -> None:
    assert asked_for(service) == needed_by(service)


def test_every_extra_is_asked_for_and_not_by_all() -> None:
    """One that all need is a dependency like any other."""
    lists = [asked_for(service) for service in OURS]
    assert set.union(*lists) == EXTRAS.keys()
    assert set.intersection(*lists) == set()


def test_the_readme_of_the_chassis_tells_what_an_extra_is_for() -> None:
    section = (ROOT / "chassis" / "README.md").read_text().partition("## Extras")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, re.MULTILINE)
    chassis = [module for module in MODULES if module.startswith("chassis.")]
    found = {extra: {m.removeprefix("chassis.") for m in chassis if extra in extras_of([m])} for extra in EXTRAS}
    assert {extra: set(re.findall(r"\w+", modules)) for extra, modules in rows} == found


@pytest.mark.parametrize(
    ("module", "extras"),
    [
        ("chassis.http_client", {"client"}),
        ("chassis.auth", {"tokens"}),
        ("chassis.relay", {"database"}),
        ("chassis.replay", {"bus"}),
        ("chassis.jwks", {"client", "tokens"}),
        ("chassis.probe", set()),
        ("orders.domain", set()),
    ],
)
def test_the_extras_of_a_module_are_seen_through_others(module: str, extras: set[str]) -> None:
    assert extras_of([module]) == extras


def test_an_import_within_a_function_leads_on() -> None:
    """What a service loads late, or never in a test, has to be in its image all the same."""
    assert "chassis.otlp" in reached_from(["chassis.telemetry"])


def test_an_import_for_a_type_checker_does_not(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("if TYPE_CHECKING:\n    import nats\n    from chassis import bus\nelse:\n    import orjson\n")
    assert imports_when_run(file) == {"orjson"}


def test_an_import_under_another_condition_does(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("def late():\n    if late:\n        from chassis import bus\n")
    assert imports_when_run(file) == {"chassis.bus"}

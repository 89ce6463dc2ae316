"""Every service has its parts, in the places where a reader looks for them."""

import ast
import importlib
import sys
from pathlib import Path

import pytest

from deploy.local.programs import GUESTS
from tests.architecture.services import OURS, SERVICES, Service, imports, reads_environment

# The gateway is a proxy: it owns nothing, so it has no domain, no use cases and no database.
OWNERS = [service for service in OURS if service.name != "gateway"]
# A guest's few tables lie beside those of its host.
MIGRATING = [service for service in OWNERS if service.name not in GUESTS]
PRODUCERS = [service for service in SERVICES if service.has("messaging")]
# Of whose use cases some fill files of their own.
MORE_USE_CASES = {"facade": ("counting", "cutover", "guard")}
STANDARD = set(sys.stdlib_module_names)

each = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
each_owner = pytest.mark.parametrize("service", OWNERS, ids=lambda service: service.name)
each_migrating = pytest.mark.parametrize("service", MIGRATING, ids=lambda service: service.name)


def test_there_are_services() -> None:
    assert {"gateway", "orders"} <= {service.name for service in OURS}
    assert {"legacy"} == {service.name for service in SERVICES} - {service.name for service in OURS}


def test_the_old_shop_has_nothing_of_ours() -> None:
    names = tuple(f"{name}." for name in ("chassis", "deploy", *(service.name for service in OURS)))
    (legacy,) = (service for service in SERVICES if not service.is_ours)
    assert [file for file in legacy.modules() if any(f"{name}.".startswith(names) for name in imports(file))] == []


@each
def test_a_service_has_an_entry_settings_tests_and_a_readme(service: Service) -> None:
    for part in ("main", "settings"):
        assert service.has(part), part
    assert (service.package / "py.typed").exists()
    assert list((service.folder / "tests").rglob("test_*.py"))
    assert (service.folder / "README.md").exists()


@each_owner
def test_a_service_that_owns_something_has_all_its_layers(service: Service) -> None:
    for part in ("domain", "application", "storage", "api"):
        assert service.has(part), part


@each_migrating
def test_a_service_with_a_database_of_its_own_has_migrations(service: Service) -> None:
    migrations = service.package / "migrations"
    assert (migrations / "env.py").exists()
    assert (migrations / "versions" / "0001_initial.py").exists()


@each_migrating
def test_migrations_are_written_out(service: Service) -> None:
    """Made from today's metadata, the first migration would change whenever the tables do."""
    for file in (service.package / "migrations" / "versions").glob("*.py"):
        assert "create_all" not in file.read_text()
        assert not {name for name in imports(file) if name.startswith(service.name)}


@pytest.mark.parametrize("service", PRODUCERS, ids=lambda service: service.name)
def test_a_service_with_messages_has_a_contract_for_each_that_it_sends(service: Service) -> None:
    produced = importlib.import_module(f"{service.name}.messaging").PRODUCES
    files = {file.name for file in (service.folder / "contracts").glob("*")}  # none where it only hears
    assert files == {f"{'.'.join(subject.split('.')[2:])}.json" for subject in produced}


@each
def test_a_readme_tells_what_the_service_owns_and_how_it_fails(service: Service) -> None:
    text = (service.folder / "README.md").read_text().lower()
    for word in ("own", "endpoint", "setting", "fail"):
        assert word in text, word


@each
def test_a_readme_names_every_setting_of_its_own(service: Service) -> None:
    text = (service.folder / "README.md").read_text()
    (own,) = (
        node
        for node in ast.walk(ast.parse((service.package / "settings.py").read_text()))
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    fields = [item.target for item in own.body if isinstance(item, ast.AnnAssign)]
    names = {field.id.upper() for field in fields if isinstance(field, ast.Name)} - {"SERVICE_NAME"}
    # `UPSTREAM_ORDERS` may stand as `_ORDERS` in a row of its kind.
    assert {name for name in names if name not in text and f"`_{name.partition('_')[2]}`" not in text} == set()


@each
def test_the_environment_is_read_in_the_settings_only(service: Service) -> None:
    readers = {str(file.relative_to(service.package)) for file in service.modules() if reads_environment(file)}
    assert readers <= {"settings.py"}


@each
def test_the_entry_is_a_table_of_contents(service: Service) -> None:
    assert len((service.package / "main.py").read_text().splitlines()) < 80


@each
def test_a_module_has_one_idea_and_fits_a_few_screens(service: Service) -> None:
    lengths = {str(file.relative_to(service.package)): _length(file) for file in service.modules()}
    assert {name: length for name, length in lengths.items() if length > 250} == {}


@each
def test_a_module_says_what_it_is_for(service: Service) -> None:
    silent = [file for file in service.modules() if file.read_text().strip() and not _docstring(file)]
    assert [str(file.relative_to(service.package)) for file in silent] == []


@each_owner
def test_a_domain_needs_the_standard_library_only(service: Service) -> None:
    own = (f"{service.name}.domain.", f"{service.name}.saga.")
    for file in (*service.sources("domain"), *service.sources("saga")):
        assert {name for name in third_party(file) if not name.startswith(own)} == set(), file


@each_owner
def test_use_cases_need_the_domain_and_a_few_words_of_the_chassis(service: Service) -> None:
    names = ("application", *MORE_USE_CASES.get(service.name, ()))
    allowed = (
        *(f"{service.name}.{name}." for name in (*names, "domain", "saga")),
        "chassis.idempotency.",
        "chassis.consumer.Retry",
        "chassis.errors.DependencyUnavailable",
        "structlog.",  # one line an outcome
        "uuid_utils.",  # the default of a parameter for new ids
    )
    for file in (file for name in names for file in service.sources(name)):
        assert {name for name in third_party(file) if not name.startswith(allowed)} == set(), file


def third_party(file: Path) -> set[str]:
    return {f"{name}." for name in imports(file) if name.split(".")[0] not in STANDARD}


def _length(file: Path) -> int:
    return len(file.read_text().splitlines())


def _docstring(file: Path) -> str | None:
    return ast.get_docstring(ast.parse(file.read_text()))

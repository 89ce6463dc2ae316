"""The chassis is a library of mechanisms: it knows no business, and only its settings read the environment."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.services import CHASSIS, SERVICES, imports, reads_environment

MODULES = sorted(CHASSIS.rglob("*.py"))
# "Order" alone is missing: order of messages, order of closing.
BUSINESS = re.compile(
    r"books?|isbn|prices?|basket|cart|stock|reservations?|reserved|inventory|catalog(ue)?|checkout|orders|payments?"
    r"|refunds?|cards?|customers?|shopper|psp|author"
)

each = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)


def test_the_chassis_imports_no_service() -> None:
    names = tuple(f"{service.name}." for service in SERVICES)
    assert [m.name for m in MODULES if any(f"{name}.".startswith(names) for name in imports(m))] == []


@each
def test_no_business_word_stands_in_the_chassis(module: Path) -> None:
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", module.read_text())
    assert [word for word in re.findall(r"[a-z]+", parts.lower()) if BUSINESS.fullmatch(word)] == []


def test_the_environment_is_read_in_the_settings_only() -> None:
    offenders = {module.name for module in MODULES if reads_environment(module)}
    # The probe must not cost an import of the settings.
    assert offenders == {"settings.py", "probe.py"}


@each
def test_a_module_fits_a_few_screens_and_says_what_it_is_for(module: Path) -> None:
    text = module.read_text()
    assert len(text.splitlines()) <= 250
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize(
    "source",
    ["import os\nos.environ['A']", "from os import getenv", "import os as o\no.getenv('A')", "from os import environ"],
)
def test_the_check_of_the_environment_finds_its_reads(source: str, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(source)
    assert reads_environment(file)

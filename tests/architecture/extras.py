"""The extras of the chassis: which a service asks for, and which it needs by what it imports, however far away."""

import functools
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.services import CHASSIS, ROOT, SERVICES, Service, imports_when_run


def _project(folder: Path) -> dict[str, Any]:
    return dict(tomllib.loads((folder / "pyproject.toml").read_text())["project"])


def _modules(package: Path) -> dict[str, Path]:
    """File by full name of a package and all that is in it."""
    files = {".".join(file.relative_to(package.parent).with_suffix("").parts): file for file in package.rglob("*.py")}
    return {name.removesuffix(".__init__"): file for name, file in files.items()}


# Distributions by extra.
EXTRAS = {
    extra: {canonicalize_name(Requirement(line).name) for line in lines}
    for extra, lines in _project(ROOT / "chassis")["optional-dependencies"].items()
}
MODULES = {
    name: file for package in (CHASSIS, *(s.package for s in SERVICES)) for name, file in _modules(package).items()
}
_DISTRIBUTIONS = packages_distributions()


def asked_for(service: Service) -> set[str]:
    """The extras in the service's own list of dependencies; none where there is no chassis in it."""
    wanted = [Requirement(line) for line in _project(service.folder)["dependencies"]]
    return {extra for each in wanted if each.name == "banyan-chassis" for extra in each.extras}


def needed_by(service: Service) -> set[str]:
    """The extras without which a module of the service, or one that it reaches, could not be imported."""
    return extras_of(_modules(service.package))


def extras_of(modules: Iterable[str]) -> set[str]:
    """The extras that hold what `modules` import, themselves and through others of ours."""
    found = {name.partition(".")[0] for module in reached_from(modules) for name in _imports(module)}
    distributions = {canonicalize_name(each) for name in found for each in _DISTRIBUTIONS.get(name, ())}
    return {extra for extra, held in EXTRAS.items() if held & distributions}


def reached_from(modules: Iterable[str]) -> set[str]:
    """`modules`, and all of ours that they import."""
    reached: set[str] = set()
    ahead = set(modules)
    while ahead:
        name = ahead.pop()
        reached.add(name)
        ahead |= {module for imported in _imports(name) for module in _loaded_by(imported)} - reached
    return reached


@functools.cache
def _imports(module: str) -> set[str]:
    return imports_when_run(MODULES[module])


def _loaded_by(name: str) -> set[str]:
    """Modules of ours that an import of `name` runs: each package on the way, too."""
    parts = name.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts) + 1)} & MODULES.keys()

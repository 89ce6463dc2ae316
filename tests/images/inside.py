"""Runs inside an image, from its standard input: `python - SERVICE`. Prints what is there as JSON.

Nothing but the standard library, since an image has nothing else that this program could count on.
"""

import ast
import contextlib
import csv
import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

APP = Path("/app")
INSTALLERS = ("pip", "ensurepip", "setuptools", "uv", "wheel", "distutils", "easy_install", "conda")


def packages() -> dict[str, str]:
    """Version by name of all that is installed."""
    return {found.metadata["Name"]: found.version for found in distributions()}


def recorded() -> set[Path]:
    """The files that the installed packages say are theirs, be they there or not."""
    files: set[Path] = set()
    for found in distributions():
        lines = csv.reader((found.read_text("RECORD") or "").splitlines())
        files |= {Path(str(found.locate_file(line[0]))) for line in lines if line}
    return files


def strays() -> list[str]:
    """Files that belong to no package; byte code belongs to its source."""
    known = recorded()
    there = (file for file in APP.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return sorted(str(file) for file in there if file not in known)


def cannot_be_imported(*names: str) -> dict[str, str]:
    """What goes wrong by module, of all modules of the packages `names`."""
    wrong: dict[str, str] = {}
    for name in names:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}.", onerror=lambda _: None):
            # Alembic runs these, and gives them their context.
            if ".migrations." in module.name:
                continue
            try:
                importlib.import_module(module.name)
            except BaseException as error:
                wrong[module.name] = repr(error)
    return wrong


def taken_away() -> set[str]:
    """Modules that their package names as its own, and that are not there: the recipe took them away."""
    gone = {file.relative_to(APP) for file in recorded() if file.is_relative_to(APP) and not file.exists()}
    sources = (file for file in gone if file.suffix == ".py")
    return {".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in sources}


def still_wanted() -> dict[str, list[str]]:
    """What was taken away and is named by an import of a module that the service has loaded, be it in a function."""
    gone = taken_away()
    wanted = {module.__name__: sorted(gone & set(_imports(module))) for module in list(sys.modules.values())}
    return {name: modules for name, modules in wanted.items() if modules}


def _imports(module: ModuleType) -> Iterator[str]:
    with contextlib.suppress(AttributeError, TypeError, OSError, ValueError, SyntaxError):
        tree = ast.parse(Path(str(module.__file__)).read_bytes())
        for node in _executed(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = importlib.util.resolve_name("." * node.level + (node.module or ""), module.__package__)
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker reads."""
    yield tree
    if isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test):
        return
    for node in ast.iter_child_nodes(tree):
        yield from _executed(node)


def main(service: str) -> None:
    """Print the findings."""
    ours = [service, "chassis"] if find_spec("chassis") else [service]
    names = ours if service != "tools" else ["deploy.compose", "tests.traffic", "tests.invariants"]
    found = {
        "packages": packages(),
        "strays": strays(),
        "cannot_be_imported": cannot_be_imported(*names),
        "still_wanted": still_wanted(),
        "taken_away": sorted(taken_away()),
        "installers": [name for name in INSTALLERS if find_spec(name)],
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])

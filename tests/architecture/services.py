"""The services as they lie in their folders, for tests that hold for each of them."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHASSIS = ROOT / "chassis" / "src" / "chassis"


@dataclass(frozen=True)
class Service:
    """One folder under `services/`."""

    name: str

    @property
    def folder(self) -> Path:
        return ROOT / "services" / self.name

    @property
    def package(self) -> Path:
        return self.folder / "src" / self.name

    @property
    def is_ours(self) -> bool:
        """Whether it is built on the chassis; the old shop came from elsewhere, and nothing of ours may be in it."""
        return '"banyan-chassis' in (self.folder / "pyproject.toml").read_text()

    def modules(self) -> list[Path]:
        return sorted(self.package.rglob("*.py"))

    def has(self, module: str) -> bool:
        """Whether there is a module, or a package, of this name."""
        return (self.package / f"{module}.py").exists() or (self.package / module).is_dir()

    def sources(self, module: str) -> list[Path]:
        """The files of a module or of the package that it became."""
        single = self.package / f"{module}.py"
        return [single] if single.exists() else sorted((self.package / module).rglob("*.py"))


SERVICES = [Service(file.parent.name) for file in sorted(ROOT.glob("services/*/pyproject.toml"))]
OURS = [service for service in SERVICES if service.is_ours]


def imports(file: Path) -> set[str]:
    """Every module that a file imports, by its full name."""
    return _imported(ast.walk(ast.parse(file.read_text())))


def imports_when_run(file: Path) -> set[str]:
    """The same without those that only a type checker reads; those within functions are among them."""
    return _imported(_executed(ast.parse(file.read_text())))


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    yield tree
    if isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test):
        inner: Iterable[ast.AST] = tree.orelse
    else:
        inner = ast.iter_child_nodes(tree)
    for node in inner:
        yield from _executed(node)


def _imported(nodes: Iterable[ast.AST]) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def reads_environment(file: Path) -> bool:
    """Whether a file reads or changes the environment."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in _ENVIRONMENT and ast.unparse(node.value) != "request":
            return True  # what WSGI calls the environment of a request is the request itself
        if isinstance(node, ast.ImportFrom) and any(alias.name in _ENVIRONMENT for alias in node.names):
            return True
    return False


_ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv"}

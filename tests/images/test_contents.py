"""What is in an image, and what is not."""

import json
import platform
import shutil
import subprocess

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.local.place import ROOT
from deploy.local.programs import BY_NAME
from tests.architecture.extras import MODULES, asked_for, extras_of
from tests.architecture.services import Service
from tests.images.building import Commit
from tests.images.contents import entries, inside
from tests.images.docker import run, size
from tests.images.stage import PYTHON

USER = 65532
# Of the base alone, more or less: whatever counts less has not seen it.
BASE_BYTES = 40_000_000
SHELLS = {"sh", "ash", "bash", "busybox", "dash", "csh", "tcsh", "zsh", "ksh", "mksh", "fish", "toybox", "pwsh"}
INSTALLERS = {"apt", "apt-get", "dpkg", "apk", "yum", "dnf", "rpm", "pip", "pip3", "uv", "uvx", "conda", "easy_install"}
COMPILERS = {"cc", "gcc", "c++", "g++", "clang", "ld", "make", "strip", "git", "curl", "wget", "perl"}
# Every Linux has these, and a read-only root with no tmpfs on them leaves none of them writable.
BASE = {"tmp", "var/tmp", "var/lock", "run/lock", "home/nonroot"}
# Volumes that are new take their owner from them.
OF_TOOLS = {"secrets", "jetstream"}
CHASSIS_MODULES = {module for module in MODULES if module.startswith("chassis.")}
# What the image runs on; as the lock's conditions name it.
ENVIRONMENT = {
    "python_version": "3.13",
    "python_full_version": "3.13.5",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "sys_platform": "linux",
    "os_name": "posix",
    "platform_system": "Linux",
}


def programs(image: str) -> set[str]:
    """Names of all that can be executed."""
    found = (entry for entry in entries(image) if entry.is_link or (entry.is_file and entry.mode & 0o111))
    return {entry.path.rpartition("/")[2] for entry in found}


def closure(*options: str) -> dict[str, str]:
    """Version by name of what the lock says that is needed, for Python 3.13 on this machine's kind."""
    uv = shutil.which("uv") or str(ROOT / ".banyan" / "uv" / "bin" / "uv")
    command = [
        uv,
        "export",
        "--quiet",
        "--frozen",
        "--no-emit-workspace",
        "--no-header",
        "--no-hashes",
        "--no-annotate",
    ]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=True)
    machine = {**ENVIRONMENT, "platform_machine": platform.machine()}
    wanted = [Requirement(line) for line in done.stdout.splitlines() if line.strip()]
    needed = [each for each in wanted if each.marker is None or each.marker.evaluate(machine)]
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in needed}


def test_there_is_no_shell_by_any_name(image: str) -> None:
    assert not SHELLS & programs(image)
    assert "python3.13" in programs(image), "nothing that can be executed was seen at all"


def test_a_shell_cannot_be_started(image: str) -> None:
    done = run("run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", image, "-c", "true")
    assert done.returncode == 127, done.stderr
    assert "no such file" in done.stderr


def test_nothing_can_be_installed_or_compiled(image: str) -> None:
    assert not (INSTALLERS | COMPILERS) & programs(image)


def test_nothing_in_python_can_install_either(service: str, commit: Commit) -> None:
    assert inside(commit.tag(service), service)["installers"] == []


def test_the_user_can_write_nowhere_but_where_the_base_lets_everybody(image: str) -> None:
    writable = {entry.path for entry in entries(image) if entry.writable_by(USER)}
    assert writable - BASE - (OF_TOOLS if "/tools:" in image else set()) == set()
    assert "tmp" in writable, "nothing writable was seen at all"


def test_the_user_can_read_everything_of_ours(image: str) -> None:
    """Whoever's strict umask the checkout was made under."""
    mine = [entry for entry in entries(image) if entry.path.startswith("app/") and not entry.is_link]
    assert [entry.path for entry in mine if entry.mode & 0o044 != 0o044] == []


def test_no_program_runs_as_somebody_else(image: str) -> None:
    """Links apart: theirs is the mode of nothing."""
    assert [entry.path for entry in entries(image) if entry.mode & 0o6000 and not entry.is_link] == []


def test_the_packages_are_those_of_the_lock_for_this_service(service: str, commit: Commit) -> None:
    own = {f"banyan-{name}": "0.1.0" for name in (service, *_chassis(service))}
    found = inside(commit.tag(service), service)["packages"]
    wanted = closure("--no-dev", "--package", f"banyan-{service}")
    assert len(wanted) > 5
    assert {canonicalize_name(name): version for name, version in found.items()} == {**wanted, **own}


def test_the_packages_of_the_tools_are_those_of_their_group(commit: Commit) -> None:
    found = inside(commit.tag("tools"), "tools")["packages"]
    wanted = closure("--only-group", "tools")
    assert {canonicalize_name(name): version for name, version in found.items()} == wanted


def test_every_file_belongs_to_a_package(service: str, commit: Commit) -> None:
    """No sibling, no leftover of an installer: only the folder's own entry point and the examples of messages."""
    strays = inside(commit.tag(service), service)["strays"]
    own = [path for path in strays if not path.startswith(f"/app/{service}/contracts/")]
    assert own == ["/app/__main__.py"]


def _chassis(service: str) -> tuple[str, ...]:
    return ("chassis",) if BY_NAME[service].chassis else ()


def test_there_is_no_sibling(service: str, commit: Commit) -> None:
    folders = {entry.path.split("/")[1] for entry in entries(commit.tag(service)) if entry.path.startswith("app/")}
    framework = "fastapi" if BY_NAME[service].chassis else "flask"
    assert {service, framework} <= folders
    assert (BY_NAME.keys() | {"chassis"}) & folders == {service, *_chassis(service)}


def test_there_are_no_tests(image: str) -> None:
    """Neither ours nor those of the dependencies, nor what only a compiler or a type checker reads."""
    tools = {"app/tests"} if "/tools:" in image else set()
    mine = [entry.path.rstrip("/") for entry in entries(image) if entry.path.startswith("app/")]
    assert {path for path in mine if path.rpartition("/")[2] in ("tests", "test", "testing")} == tools
    ours = [path for path in mine if path.split("/")[1] in {*BY_NAME, "chassis", "deploy", "tests"}]
    assert [path for path in ours if path.rpartition("/")[2].startswith(("test_", "conftest.", "tiny_"))] == []
    assert [path for path in mine if path.endswith((".pyi", ".pyx", ".pxd", ".pxi", ".c", ".h", ".cpp"))] == []


def test_all_can_be_imported_but_what_needs_extras_that_the_service_did_not_ask_for(
    service: str, commit: Commit
) -> None:
    """All of the service, that is, and of the chassis what it uses, or could use without a further dependency."""
    asked = asked_for(Service(service))
    mine = CHASSIS_MODULES if BY_NAME[service].chassis else set()
    foreign = {module for module in mine if extras_of([module]) - asked}
    wrong = inside(commit.tag(service), service)["cannot_be_imported"]
    assert wrong.keys() == foreign
    assert {error for error in wrong.values() if not error.startswith("ModuleNotFoundError")} == set()


def test_all_of_the_tools_can_be_imported(commit: Commit) -> None:
    assert inside(commit.tag("tools"), "tools")["cannot_be_imported"] == {}


def test_nothing_that_runs_asks_for_what_the_recipe_took_away(service: str, commit: Commit) -> None:
    found = inside(commit.tag(service), service)
    assert found["still_wanted"] == {}
    if "database" in asked_for(Service(service)):
        assert "sqlalchemy.dialects.mysql" in found["taken_away"], "nothing was seen to be taken away"


def test_the_image_is_no_larger_than_its_bar(image: str) -> None:
    assert BASE_BYTES < size(entries(image)) <= 130_000_000


def test_byte_code_is_there_so_that_a_start_compiles_nothing(service: str, commit: Commit) -> None:
    paths = {entry.path for entry in entries(commit.tag(service))}
    sources = {path for path in paths if path.startswith("app/") and path.endswith(".py")} - {"app/__main__.py"}
    compiled = {_source(path) for path in paths if path.endswith(".cpython-313.pyc")}
    assert sources - compiled == set()
    assert len(sources) > 100


def _source(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder.removesuffix('/__pycache__')}/{name.removesuffix('.cpython-313.pyc')}.py"


def test_the_interpreter_is_the_one_that_the_byte_code_is_for(image: str) -> None:
    done = run("run", "--rm", "--network", "none", "--entrypoint", PYTHON, image, "-c", VERSION)
    assert json.loads(done.stdout) == [3, 13, "cpython-313"]


VERSION = "import json, sys; print(json.dumps([*sys.version_info[:2], sys.implementation.cache_tag]))"

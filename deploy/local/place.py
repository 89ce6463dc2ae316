"""Where a local run lives: one folder for all that it makes, and its block of ports.

The folder is `.banyan` beside the Makefile, or BANYAN_HOME. The ports of the last `make up` are kept in it, so that
every later command finds the same run.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.screen import RunError
from deploy.local.servers import LOOPBACK

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_PORT = 8080
DEFAULT_BASE_PORT = 8100

OFFSETS = {
    "identity": 1,
    "catalog": 2,
    "inventory": 3,
    "orders": 4,
    "payments": 5,
    "psp": 6,
    "legacy": 7,
    "bridge": 8,
    "facade": 9,
    "nats": 22,
    "nats monitor": 23,
    "supervisor": 24,
    "postgres": 32,
}


@dataclass(frozen=True)
class Ports:
    """The gateway's port, and the first of the block that all others are counted from."""

    gateway: int = DEFAULT_PORT
    base: int = DEFAULT_BASE_PORT

    def of(self, name: str) -> int:
        return self.gateway if name == "gateway" else self.base + OFFSETS[name]

    def url(self, name: str, scheme: str = "http") -> str:
        return f"{scheme}://{LOOPBACK}:{self.of(name)}"

    def all(self) -> dict[str, int]:
        return {name: self.of(name) for name in ("gateway", *OFFSETS)}


@dataclass(frozen=True)
class Place:
    """The folder of one run, and what lies where in it."""

    home: Path
    ports: Ports

    @classmethod
    def current(cls) -> "Place":
        """The run that BANYAN_HOME names, on the ports that it was last started with."""
        # abspath rather than resolve: a relative BANYAN_HOME counts from the checkout, links stay as they are.
        home = Path(os.path.abspath(ROOT / os.environ.get("BANYAN_HOME", ".banyan")))
        try:
            ports = Ports(**json.loads((home / "run" / "ports.json").read_text()))
        except (OSError, ValueError, TypeError):
            ports = Ports()
        return cls(home, ports)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the run for one command that changes it; a second one is refused rather than mixed in."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(f"another command is at work on {self.home}", "wait until it has ended") from None
            yield

    def remember(self) -> None:
        """Keep the ports for the commands that come later."""
        kept = {"gateway": self.ports.gateway, "base": self.ports.base}
        (self.run / "ports.json").write_text(json.dumps(kept) + "\n")

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    @property
    def operator_file(self) -> Path:
        """The one file that tells the operator's login to people."""
        return self.home / "operator.txt"

    def log(self, program: str) -> Path:
        return self.logs / f"{program}.log"

    def secret(self, owner: str, setting: str) -> str:
        """A secret that `make up` generated for a service, `auditor`, `replay`, `postgres` or `supervisor`."""
        return (self.secrets / owner / setting).read_text().strip()

    def auditor_url(self, database: str) -> str:
        """A database as the read-only role sees it; the password: `secret("auditor", "database_password")`."""
        return f"postgresql://auditor@{LOOPBACK}:{self.ports.of('postgres')}/{database}"

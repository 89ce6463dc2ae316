"""The one table of what runs: each service with its settings and secrets, and the servers below them."""

import functools
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.local.place import ROOT, Place, Ports
from deploy.local.servers import LOOPBACK

OPERATOR_EMAIL = "operator@banyan.example"
DRAIN_SECONDS = 1.0
GRACE_SECONDS = 20.0
# Longer than a drain can take, which tests/compose adds up: who is killed has not kept its own limits.
STOP_SECONDS = 65
# Of the caller's environment, nothing else reaches a service: where a collector takes spans, and how many of them.
PASSED_ON = ("OTLP_ENDPOINT", "TRACE_RATIO")


@dataclass(frozen=True)
class Service:
    """One deployable: what it needs, and the settings that are its own.

    A setting's value may name another program's address: `{catalog}` is replaced by its URL. `guest_of` names whose
    database it works in, by a role of its own. Without the chassis it has no faults, no drain and no collector, and
    whatever page of its own says that it is ready.
    """

    name: str
    database: bool = True
    guest_of: str | None = None
    bus: bool = False
    tokens: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    chassis: bool = True
    ready: str = "/readyz"

    @property
    def owns_database(self) -> bool:
        """Whether there is a database of its name."""
        return self.database and self.guest_of is None

    def environment(self, place: Place) -> dict[str, str]:
        """The whole environment of its process, secrets excepted: those are files in SECRETS_DIR."""
        ports = place.ports
        values = {
            "HOST": LOOPBACK,
            "PORT": str(ports.of(self.name)),
            "SECRETS_DIR": str(place.secrets / self.name),
            **(_of_the_chassis() if self.chassis else {}),
        }
        if self.database:
            values["DATABASE_URL"] = database_url(ports, self.name, self.guest_of)
        if self.bus:
            values |= {"NATS_URL": ports.url("nats", "nats"), "NATS_USER": self.name}
        if self.chassis and self.tokens:
            values["JWKS_URL"] = f"{ports.url('identity')}/api/identity/jwks.json"
        urls = {name: ports.url(name) for name in ports.all()}
        return values | {name: value.format(**urls) for name, value in self.settings.items()}

    def secret_names(self) -> tuple[str, ...]:
        """The names of the files in its SECRETS_DIR."""
        own = ("database_password",) if self.database else ()
        return (*own, *(("nats_password",) if self.bus else ()), *self.secrets)


def _of_the_chassis() -> dict[str, str]:
    return {
        "COMMIT": commit(),
        "DRAIN_SECONDS": str(DRAIN_SECONDS),
        "GRACE_SECONDS": str(GRACE_SECONDS),
        **{name: os.environ[name] for name in PASSED_ON if os.environ.get(name)},
    }


def _urls(prefix: str, *names: str, suffix: str = "") -> dict[str, str]:
    return {f"{prefix}{name.upper()}{suffix}": f"{{{name}}}" for name in names}


GATEWAY = Service(
    "gateway",
    database=False,
    settings=_urls("UPSTREAM_", "identity", "catalog", "inventory", "orders", "payments", "facade"),
)

SERVICES: tuple[Service, ...] = (
    Service(
        "identity",
        bus=True,
        tokens=False,
        settings={"OPERATOR_EMAIL": OPERATOR_EMAIL},
        secrets=("key_encryption_key", "operator_password", "exchange_key", "hash_key"),
    ),
    Service("catalog", bus=True),
    Service("inventory", bus=True),
    Service("orders", bus=True, settings={"CATALOG_URL": "{catalog}"}),
    Service("payments", bus=True, settings={"PSP_URL": "{psp}"}, secrets=("psp_api_key",)),
    Service("psp", tokens=False, secrets=("psp_api_key",)),
    # The old shop, what carries its data over, and what stands before both shops.
    Service(
        "legacy",
        chassis=False,
        ready="/legacy/health",
        settings={"PSP_URL": "{psp}"},
        secrets=("psp_api_key", "session_key"),
    ),
    Service("bridge", guest_of="legacy", bus=True, tokens=False, secrets=("bridge_key", "hash_key")),
    Service(
        "facade",
        settings=_urls("", "legacy", "catalog", "inventory", "orders", "identity", "bridge", suffix="_URL"),
        secrets=("session_key", "exchange_key", "bridge_key"),
    ),
    GATEWAY,
)
BY_NAME: Mapping[str, Service] = {service.name: service for service in SERVICES}
SERVERS = ("postgres", "nats")
PROGRAMS = (*SERVERS, *BY_NAME)
DATABASES = tuple(service.name for service in SERVICES if service.owns_database)
GUESTS: Mapping[str, str] = {service.name: service.guest_of for service in SERVICES if service.guest_of}


@functools.cache
def commit() -> str:
    """What each log line says that it was written by; an unpacked archive knows no revision."""
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def database_url(ports: Ports, role: str, database: str | None = None) -> str:
    """A database, by default its own, as a service's role sees it; the password is a secret of the service."""
    return f"postgresql://{role}@{LOOPBACK}:{ports.of('postgres')}/{database or role}"

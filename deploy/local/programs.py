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

    A setting's value may name another program's address: `{catalog}` is replaced by its URL.
    """

    name: str
    database: bool = True
    bus: bool = False
    tokens: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    def environment(self, place: Place) -> dict[str, str]:
        """The whole environment of its process, secrets excepted: those are files in SECRETS_DIR."""
        ports = place.ports
        values = {
            "HOST": LOOPBACK,
            "PORT": str(ports.of(self.name)),
            "COMMIT": commit(),
            "DRAIN_SECONDS": str(DRAIN_SECONDS),
            "GRACE_SECONDS": str(GRACE_SECONDS),
            "SECRETS_DIR": str(place.secrets / self.name),
            **{name: os.environ[name] for name in PASSED_ON if os.environ.get(name)},
        }
        if self.database:
            values["DATABASE_URL"] = database_url(ports, self.name)
        if self.bus:
            values |= {"NATS_URL": ports.url("nats", "nats"), "NATS_USER": self.name}
        if self.tokens:
            values["JWKS_URL"] = f"{ports.url('identity')}/api/identity/jwks.json"
        urls = {name: ports.url(name) for name in ports.all()}
        return values | {name: value.format(**urls) for name, value in self.settings.items()}

    def secret_names(self) -> tuple[str, ...]:
        """The names of the files in its SECRETS_DIR."""
        own = ("database_password",) if self.database else ()
        return (*own, *(("nats_password",) if self.bus else ()), *self.secrets)


GATEWAY = Service(
    "gateway",
    database=False,
    settings={
        f"UPSTREAM_{name.upper()}": f"{{{name}}}" for name in ("identity", "catalog", "inventory", "orders", "payments")
    },
)

SERVICES: tuple[Service, ...] = (
    Service(
        "identity",
        tokens=False,
        settings={"OPERATOR_EMAIL": OPERATOR_EMAIL},
        secrets=("key_encryption_key", "operator_password"),
    ),
    Service("catalog", bus=True),
    Service("inventory", bus=True),
    Service("orders", bus=True, settings={"CATALOG_URL": "{catalog}"}),
    Service("payments", bus=True, settings={"PSP_URL": "{psp}"}, secrets=("psp_api_key",)),
    Service("psp", tokens=False, secrets=("psp_api_key",)),
    GATEWAY,
)
BY_NAME: Mapping[str, Service] = {service.name: service for service in SERVICES}
SERVERS = ("postgres", "nats")
PROGRAMS = (*SERVERS, *BY_NAME)
DATABASES = tuple(service.name for service in SERVICES if service.database)


@functools.cache
def commit() -> str:
    """What each log line says that it was written by; an unpacked archive knows no revision."""
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def database_url(ports: Ports, service: str) -> str:
    """The service's own database as its own role sees it; the password is a secret of its own."""
    return f"postgresql://{service}@{LOOPBACK}:{ports.of('postgres')}/{service}"

"""NATS's configuration as text: JetStream on disk, and who may publish and hear what."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.place import Place
from deploy.local.programs import SERVICES
from deploy.local.servers import LOOPBACK

# What any client of JetStream needs: its API, acknowledgements, and an inbox for the answers.
JETSTREAM_PUBLISH = ("$JS.API.>", "$JS.ACK.>", "$JS.FC.>", "_INBOX.>")


@dataclass(frozen=True)
class NatsUser:
    """An account of the bus; it may publish to `publishes` and JetStream's subjects (None: to any)."""

    name: str
    password: str
    publishes: Sequence[str] | None = None


def service_user(service: str, password: str, namespace: str = "shop") -> NatsUser:
    """A service may speak under its own name only; dead letters are everybody's."""
    return NatsUser(service, password, (f"{namespace}.{service}.>", f"dead.{namespace}.>"))


def users(place: Place) -> list[NatsUser]:
    """Everybody who has an account: the services that speak, who looks on, and who puts dead letters back."""
    return [
        *(
            service_user(service.name, place.secret(service.name, "nats_password"))
            for service in SERVICES
            if service.bus
        ),
        NatsUser("auditor", place.secret("auditor", "nats_password"), publishes=()),
        # Dead letters go back under the names of their first senders.
        NatsUser("replay", place.secret("replay", "nats_password"), publishes=("shop.>",)),
    ]


def render(
    port: int, store: Path, accounts: Sequence[NatsUser], monitor_port: int | None = None, *, host: str = LOOPBACK
) -> str:
    """The configuration file. NATS reads JSON, so nothing needs an escape of its own."""
    config: dict[str, object] = {
        "listen": f"{host}:{port}",
        "server_name": "banyan-local",
        "max_payload": 1_000_000,
        "jetstream": {
            "store_dir": str(store),
            "max_memory_store": 64 * 1024 * 1024,
            "max_file_store": 4 * 1024**3,
            # By default an acknowledged message reaches the disk within two minutes: a crash loses it.
            "sync_interval": "always",
        },
        **_authorization(accounts),
    }
    if monitor_port is not None:
        # It asks for no password, so it is for whoever is on the machine (or in the container) only.
        config["http"] = f"{LOOPBACK}:{monitor_port}"
    return json.dumps(config, indent=2) + "\n"


def render_users(accounts: Sequence[NatsUser]) -> str:
    """The accounts alone: a file that a configuration without any secret includes at its top level."""
    return json.dumps(_authorization(accounts), indent=2) + "\n"


def _authorization(accounts: Sequence[NatsUser]) -> Mapping[str, object]:
    return {"authorization": {"users": [_user(user) for user in accounts]}}


def _user(user: NatsUser) -> Mapping[str, object]:
    login: dict[str, object] = {"user": user.name, "password": user.password}
    if user.publishes is not None:
        login["permissions"] = {
            "publish": {"allow": [*user.publishes, *JETSTREAM_PUBLISH]},
            "subscribe": {"allow": ["_INBOX.>"]},
        }
    return login

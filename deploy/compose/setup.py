"""Makes every secret once, certificates, and what NATS and Envoy are configured by: `python -m deploy.compose.setup`.

It runs before all others and writes into the volume of secrets, a folder an owner: a container mounts its own only.
"""

import os
import secrets
import shutil
from pathlib import Path

from deploy.compose import certificates
from deploy.local import nats_config, secrets_store
from deploy.local.place import ROOT, Place
from deploy.local.programs import DATABASES, GUESTS

OTHERS = {
    "auditor": ("database_password", "nats_password"),
    "monitor": ("database_password",),
    "replay": ("nats_password",),
}

AUDITED = set(DATABASES) - {"identity"}  # no invariant is about hashes and keys
GUEST_OF = {host: guest for guest, host in GUESTS.items()}
# The same as on Kubernetes.
STATEMENTS = ROOT / "deploy" / "components" / "postgres" / "database.sql"
ENVOY = ROOT / "deploy" / "services" / "legacy"


def main() -> None:
    """Entry point of the command; a second run changes nothing but the switch of the faults."""
    place = Place.current()
    made = secrets_store.generate(place, OTHERS)
    faults = os.environ.get("FAULTS") == "on"
    secrets_store.switch_faults(place, faults)
    _for_faults(place)
    for name in DATABASES:
        _for_database(place, name)
    _open(place.secrets / "monitor")
    _for_people(place)
    _configure_nats(place)
    _configure_envoy(place)
    print(f"secrets: {made} new; fault injection is {'on' if faults else 'off'}")


def _for_database(place: Place, name: str) -> None:
    """What one PostgreSQL server is made with; it runs under another account, so its copies can be read by any."""
    folder = place.secrets / f"{name}-db"
    folder.mkdir(exist_ok=True)
    passwords = {
        "superuser_password": secrets.token_urlsafe(24),
        "database_password": place.secret(name, "database_password"),
        "monitor_password": place.secret("monitor", "database_password"),
    }
    if name in AUDITED:
        passwords["auditor_password"] = place.secret("auditor", "database_password")
    if name in GUEST_OF:
        passwords["guest_password"] = place.secret(GUEST_OF[name], "database_password")
    for file, value in passwords.items():
        _once(folder / file, value, mode=0o444)
    # Beside them what it runs at its first start: so nothing of the checkout is mounted, whatever may be read there.
    (folder / "init").mkdir(exist_ok=True)
    shutil.copyfile(STATEMENTS, folder / "init" / STATEMENTS.name)


def _for_people(place: Place) -> None:
    """The operator's login, apart from identity's other secrets: filling the shelves needs nothing else."""
    folder = place.secrets / "operator"
    folder.mkdir(exist_ok=True, mode=0o700)
    _once(folder / "operator_password", place.secret("identity", "operator_password"), mode=0o400)


def _for_faults(place: Place) -> None:
    """Copies of the tokens, where they exist, for the command that switches faults on and off."""
    folder = place.secrets / "faults"
    folder.mkdir(exist_ok=True, mode=0o700)
    for old in folder.iterdir():
        old.unlink()
    for token in place.secrets.glob("*/faults_token"):
        shutil.copy(token, folder / token.parent.name)


def _configure_nats(place: Place) -> None:
    folder = place.secrets / "nats"
    folder.mkdir(exist_ok=True, mode=0o700)
    config = nats_config.render(4222, Path("/jetstream"), nats_config.users(place), 8222, host="0.0.0.0")  # noqa: S104
    path = folder / "nats.conf"
    path.touch(mode=0o600)
    path.write_text(config)


def _configure_envoy(place: Place) -> None:
    """Its configuration, and certificates for both ends of the way to the old shop."""
    folder = place.secrets / "legacy-envoy"
    folder.mkdir(exist_ok=True, mode=0o700)
    for file in ENVOY.glob("envoy*.yaml"):
        shutil.copyfile(file, folder / file.name)
    server, client = (place.secrets / f"{name}-certificates" for name in ("legacy", "facade"))
    server.mkdir(exist_ok=True, mode=0o700)
    client.mkdir(exist_ok=True, mode=0o700)
    certificates.provide(server, client)


def _open(folder: Path) -> None:
    """Let whoever mounts the folder read it: its owner runs under an account of its own."""
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o444)


def _once(path: Path, value: str, mode: int) -> None:
    if not path.exists():
        path.write_text(value)
        path.chmod(mode)


if __name__ == "__main__":
    main()

"""Writes what the local overlay is given and no commit may hold: `python -m deploy.kubernetes.generate`.

Into deploy/overlays/local/generated/, which git ignores: `release.env`, the commit that the images are tagged with, a
folder for each Secret with a file for each of its keys, and the kustomization.yaml that makes Secrets of the folders.
What is random is so once: a second run changes nothing of it, so that a cluster that is running keeps its passwords.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.compose import certificates
from deploy.compose.setup import AUDITED, GUEST_OF, OTHERS
from deploy.local import nats_config, secrets_store
from deploy.local.place import ROOT, Place, Ports
from deploy.local.programs import DATABASES, SERVICES
from tests.images.building import BuildError, asked_for

GENERATED = ROOT / "deploy" / "overlays" / "local" / "generated"
RELEASE = "release.env"
LIST = "kustomization.yaml"


class Generated(Place):
    """A place that holds nothing but secrets, so that their folders are its own."""

    @property
    def secrets(self) -> Path:
        return self.home


def main() -> int:
    """Entry point of the command; prints one line, and no secret in it."""
    parser = argparse.ArgumentParser(prog="python -m deploy.kubernetes.generate", description=__doc__)
    parser.add_argument("--folder", type=Path, default=GENERATED)
    parser.add_argument("--commit", help="tag of the images; by default COMMIT, or what is checked out")
    parser.add_argument("--faults", action="store_true", help="tokens that let faults be injected; without it, none")
    options = parser.parse_args()
    try:
        commit = options.commit or asked_for().sha
    except BuildError as error:
        sys.stderr.write(f"generate: {error}; name one: --commit=…\n")
        return 1
    made = generate(options.folder, commit, faults=options.faults)
    print(f"{options.folder}: images of {commit}, {made} new secrets, faults {'on' if options.faults else 'off'}")
    return 0


def generate(folder: Path, commit: str, *, faults: bool = False) -> int:
    """Make what is missing, and bring what follows from it up to date; how many secrets were new."""
    place = Generated(folder, Ports())
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = secrets_store.generate(place, OTHERS)
    secrets_store.switch_faults(place, faults)
    _keep(place, "operator", {"operator_password": place.secret("identity", "operator_password")})
    _keep(place, "faults", _tokens(place))
    for name in DATABASES:
        made += _for_database(place, name)
    _keep(place, "nats", {"users.conf": nats_config.render_users(nats_config.users(place))})
    _certify(place)
    write(folder / RELEASE, f"COMMIT={commit}\n")
    write(folder / LIST, _secret_generators(folder))
    return made


def _for_database(place: Place, name: str) -> bool:
    """The passwords that one PostgreSQL server is made with; whether its superuser's is new."""
    folder = place.secrets / f"{name}-db"
    superuser = folder / "superuser_password"
    new = not superuser.exists()
    passwords = {
        superuser.name: secrets.token_urlsafe(24) if new else superuser.read_text(),
        "database_password": place.secret(name, "database_password"),
        "monitor_password": place.secret("monitor", "database_password"),
    }
    if name in AUDITED:
        passwords["auditor_password"] = place.secret("auditor", "database_password")
    if name in GUEST_OF:
        passwords["guest_password"] = place.secret(GUEST_OF[name], "database_password")
    _keep(place, folder.name, passwords)
    return new


def _tokens(place: Place) -> Mapping[str, str]:
    """Once more by service, for whoever switches faults on and off; none where they cannot be."""
    tokens = {service.name: place.secrets / service.name / "faults_token" for service in SERVICES}
    return {name: token.read_text() for name, token in tokens.items() if token.exists()}


def _certify(place: Place) -> None:
    server, client = (place.secrets / name for name in ("legacy-server-tls", "legacy-client-tls"))
    for folder in (server, client):
        folder.mkdir(exist_ok=True, mode=0o700)
    certificates.provide_files(certificates.Files.of_kubernetes(server), certificates.Files.of_kubernetes(client))


def _secret_generators(folder: Path) -> str:
    """A Secret for each folder, by its name, with all that is in it: faults come and go with a file."""
    generators = []
    for each in sorted(each for each in folder.iterdir() if each.is_dir()):
        files = sorted(f"{each.name}/{file.name}" for file in each.iterdir())
        kind = {"type": "kubernetes.io/tls"} if f"{each.name}/tls.crt" in files else {}
        if files:
            generators.append({"name": each.name, "files": files, **kind})
    return json.dumps({"secretGenerator": generators}, indent=2) + "\n"


def _keep(place: Place, name: str, values: Mapping[str, str]) -> None:
    """A folder with these files and no others."""
    folder = place.secrets / name
    folder.mkdir(exist_ok=True, mode=0o700)
    for old in folder.iterdir():
        if old.name not in values:
            old.unlink()
    for key, value in values.items():
        write(folder / key, value)


def write(path: Path, value: str) -> None:
    """For its owner's eyes from the first byte on; untouched if nothing has changed."""
    if path.exists() and path.read_text() == value:
        return
    path.touch(mode=0o600)
    path.write_text(value)


if __name__ == "__main__":
    sys.exit(main())

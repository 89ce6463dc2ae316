"""Secrets of the local run: generated once, one file each, readable by their owner alone, never printed."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.place import Place
from deploy.local.programs import GATEWAY, SERVICES

# Owners that are no service: the superuser, the read-only role of the invariants, `make replay`, and Supervisor's
# own door.
OTHERS: Mapping[str, Sequence[str]] = {
    "postgres": ("superuser_password",),
    "auditor": ("database_password", "nats_password"),
    "replay": ("nats_password",),
    "supervisor": ("password",),
}
# Each of them has one value, which all who have it must agree on.
SHARED = ("psp_api_key", "session_key", "exchange_key", "bridge_key", "hash_key")
OF_32_BYTES = ("key_encryption_key", "hash_key")
_FAULTS = "faults_token"


def generate(place: Place, others: Mapping[str, Sequence[str]] = OTHERS) -> int:
    """Make every secret of the services and of `others` that does not exist yet, and say how many those were."""
    wanted = {**{service.name: service.secret_names() for service in SERVICES}, **others}
    place.secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = 0
    for owner, settings in wanted.items():
        folder = place.secrets / owner
        folder.mkdir(exist_ok=True, mode=0o700)
        made += sum(_keep(folder / setting, _value(place, setting)) for setting in settings)
    return made


def switch_faults(place: Place, on: bool) -> None:
    """Give each service the token that makes its fault injection exist, or take it away; they read it at start.

    The gateway has none to switch: what it forwards can be made to fail behind it. Nor has what knows no chassis.
    """
    for service in SERVICES:
        if service is GATEWAY or not service.chassis:
            continue
        path = place.secrets / service.name / _FAULTS
        if on:
            _keep(path, secrets.token_urlsafe(24))
        else:
            path.unlink(missing_ok=True)


def faults_are_on(place: Place) -> bool:
    """Whether the services were last started with fault injection."""
    return (place.secrets / SERVICES[0].name / _FAULTS).exists()


def missing_for_old_data(place: Place) -> bool:
    """Whether databases exist whose passwords nobody knows any more."""
    return (place.data / "postgres" / "PG_VERSION").exists() and not (place.secrets / "postgres").exists()


def _value(place: Place, setting: str) -> str:
    if setting in SHARED and (known := _known(place, setting)):
        return known
    if setting in OF_32_BYTES:
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(24)


def _known(place: Place, setting: str) -> str | None:
    """What those must agree on who share it: whichever has it already decides."""
    for service in SERVICES:
        path = place.secrets / service.name / setting
        if setting in service.secret_names() and path.exists():
            return path.read_text()
    return None


def _keep(path: Path, value: str) -> bool:
    if path.exists():
        return False
    path.touch(mode=0o600)
    path.write_text(value)
    return True

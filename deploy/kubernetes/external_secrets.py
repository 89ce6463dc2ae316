"""Writes what staging and production fetch from the store of secrets: `python -m deploy.kubernetes.external_secrets`.

An ExternalSecret for each Secret that `generate` makes for the local overlay, under the same names and keys, out of the
same tables; but none for those whom only commands on a laptop need. The store has one entry an owner, `orders` with
`database_password` and `nats_password`, and one named `shared` for what several must agree on: no value is kept twice,
so none can be changed in one place and not in another.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from deploy.compose.setup import OTHERS
from deploy.local import nats_config
from deploy.local.place import ROOT, Place, Ports
from deploy.local.programs import DATABASES, GUESTS, SERVICES
from deploy.local.secrets_store import SHARED

FILE = ROOT / "deploy" / "components" / "external-secrets" / "secrets.yaml"
HEADER = "# Made by `python -m deploy.kubernetes.external_secrets` from deploy/local/programs.py.\n"

# Who fills and audits the local shop, and who measures its databases: nobody is that here, so nobody logs in as them.
# Dead letters are put back here, too.
ONLY_LOCAL = ("auditor", "monitor", "operator")
# Who logs in to databases that are not their own, as roles that the operator of the databases keeps.
ROLES = tuple(GUESTS)
# For the archive of the backups: an account of the object store, which nothing else of ours uses.
BACKUPS = ("ACCESS_KEY_ID", "ACCESS_SECRET_KEY")

Object = dict[str, Any]


def text() -> str:
    """The whole file."""
    return HEADER + yaml.safe_dump_all(objects(), sort_keys=False, width=120)


def objects() -> Iterator[Object]:
    """Services and others that mount files, then databases and their roles, the bus, the backups."""
    for service in SERVICES:
        if service.secret_names():
            yield _secret(service.name, _entries(service.name, service.secret_names()))
    for owner, names in OTHERS.items():
        if owner not in ONLY_LOCAL:
            yield _secret(owner, _entries(owner, names))
    for name in DATABASES:
        yield _login(f"{name}-db", name)
    for role in ROLES:
        yield _login(f"{role}-role", role)
    yield _bus()
    yield _secret("backups", _entries("backups", BACKUPS))


def _entries(owner: str, names: Iterable[str]) -> list[Object]:
    return [_entry(name, "shared" if name in SHARED else owner, name) for name in names]


def _entry(key: str, owner: str, name: str) -> Object:
    return {"secretKey": key, "remoteRef": {"key": owner, "property": name}}


def _secret(name: str, data: list[Object], template: Mapping[str, Any] | None = None) -> Object:
    target = {"target": {"template": template}} if template else {}
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": name},
        "spec": {**target, "data": data},
    }


def _login(name: str, role: str) -> Object:
    """A role and its password as CloudNativePG reads them, and reads them again when they change."""
    template = {
        "type": "kubernetes.io/basic-auth",
        "metadata": {"labels": {"cnpg.io/reload": "true"}},
        "data": {"username": role, "password": "{{ .password }}"},
    }
    return _secret(name, [_entry("password", role, "database_password")], template)


def _bus() -> Object:
    """The accounts of the bus as its servers include them, put together from what each account's owner has."""
    accounts = [each for each in nats_config.users(Template(ROOT, Ports())) if each.name not in ONLY_LOCAL]
    users = nats_config.render_users(accounts)
    for account in accounts:
        users = users.replace(f'"{account.password}"', f"{{{{ .{account.name} | toRawJson }}}}")
    data = [_entry(account.name, account.name, "nats_password") for account in accounts]
    return _secret("nats", data, {"data": {"users.conf": users}})


class Template(Place):
    """A place that knows no secret, and names instead whose it would be."""

    def secret(self, owner: str, setting: str) -> str:
        return f"@{owner}@"


def main() -> None:
    FILE.write_text(text())


if __name__ == "__main__":
    main()

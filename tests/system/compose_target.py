"""The shop in containers, by the `docker` command."""

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.compose import project
from tests.system.target import text_of


@dataclass(frozen=True)
class ComposeTarget:
    """The project that the environment names."""

    # One database stands for all: they are one recipe.
    fragile: Sequence[str] = (*project.SERVICES, "nats", "orders-db")
    verify: Sequence[str] = ("docker", *project.one_off_command("verify"))

    def run_in(self, service: str, script: str, *arguments: str) -> str:
        return project.container(service).python(text_of(script), *arguments)

    def audit(self, script: str, *arguments: str) -> str:
        return project.one_off("verify", "-", *arguments, entrypoint=project.PYTHON, stdin=text_of(script))

    def log(self, program: str) -> str:
        return "".join(container.log() for container in project.containers(program))

    def crash(self, program: str) -> None:
        container = project.container(program)
        restarts = container.restarts
        container.crash()
        project.wait_until(lambda: container.restarts > restarts, 30, lambda: f"{program} was not restarted")
        container.wait_healthy()

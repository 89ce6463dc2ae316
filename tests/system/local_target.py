"""The shop under Supervisor on this machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.local.place import ROOT, Place
from deploy.local.programs import BY_NAME
from deploy.local.readiness import wait_ready
from deploy.local.screen import Step
from deploy.local.supervisor import Supervisor, wait_until
from tests.system.target import text_of


@dataclass(frozen=True)
class LocalTarget:
    """Everything by the folder of the run."""

    place: Place
    supervisor: Supervisor
    fragile: Sequence[str] = tuple(BY_NAME)
    verify: Sequence[str] = (sys.executable, "-m", "tests.invariants")

    @classmethod
    def current(cls) -> "LocalTarget":
        """The run that BANYAN_HOME names."""
        place = Place.current()
        return cls(place, Supervisor(place))

    def run_in(self, service: str, script: str, *arguments: str) -> str:
        return _output((sys.executable, "-m", "deploy.local", "run", service, "-", *arguments), script, {})

    def audit(self, script: str, *arguments: str) -> str:
        environment = {
            "AUDITOR_POSTGRES": self.place.auditor_url("{database}"),
            "AUDITOR_NATS": self.place.ports.url("nats", "nats"),
            "AUDITOR_SECRETS": str(self.place.secrets / "auditor"),
        }
        return _output((sys.executable, "-", *arguments), script, environment)

    def log(self, program: str) -> str:
        return self.place.log(program).read_text(errors="replace")

    def crash(self, program: str) -> None:
        pid = self.supervisor.process(program).pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.supervisor.process(program).pid not in (0, pid), 30, f"{program} was not restarted")
        wait_ready(self.place, self.supervisor, (program,), Step(program), seconds=30)


def _output(command: Sequence[str], script: str, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, input=text_of(script), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout

"""From samples to what a container should ask for, and from the manifests what it does ask for."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deploy.kubernetes.cluster import STATEFUL, container_of, pod_of
from tests.bench.sizing.sampling import Sample
from tests.deploy.manifests import Manifests
from tests.deploy.quantities import number_of

MEBIBYTE = 2**20
# Finer steps would pretend to know more than one run of one machine tells.
CPU_STEP, MEMORY_STEP = 10, 16
HEADROOM = 1.5


@dataclass(frozen=True)
class Spread:
    """Half, nine tenths and ninety-nine hundredths of the samples are at or below."""

    p50: float
    p90: float
    p99: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        if len(values) < 2:
            raise ValueError("too few samples")
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        return cls(cuts[49], cuts[89], cuts[98])


@dataclass(frozen=True)
class Asked:
    """What a manifest says: millicores and MiB."""

    cpu_request: float
    cpu_limit: float
    memory_request: float
    memory_limit: float


@dataclass(frozen=True)
class Figure:
    """A container as it was seen, and as it is asked for: in the local overlay, and by a service everywhere else."""

    name: str
    cpu: Spread
    memory: Spread
    asked: Asked
    elsewhere: Asked | None = None

    @property
    def cpu_request(self) -> int:
        """The p90, rounded up: what it needs nine seconds of ten."""
        return _up(self.cpu.p90, CPU_STEP)

    @property
    def cpu_request_local(self) -> int:
        """The p50: nobody else is on a laptop, and the p90s in sum would leave its cluster no core to run on."""
        return _up(self.cpu.p50, CPU_STEP)

    @property
    def memory_request(self) -> int:
        return _up(self.memory.p90, MEMORY_STEP)

    @property
    def memory_limit(self) -> int:
        """Half more than the p99: past it the kernel kills, so it must not be where a busy day goes."""
        return _up(HEADROOM * self.memory.p99, MEMORY_STEP)

    def short(self) -> list[str]:
        """Where the manifest asks for less than the rule does."""
        pairs = (
            ("CPU request of the local overlay", self.asked.cpu_request, self.cpu_request_local),
            ("CPU request", (self.elsewhere or self.asked).cpu_request, self.cpu_request if self.elsewhere else 0),
            ("memory request", self.asked.memory_request, self.memory_request),
            ("memory limit", self.asked.memory_limit, self.memory_limit),
        )
        return [f"{self.name}: {what} {asked:.0f}, by the rule {rule}" for what, asked, rule in pairs if asked < rule]


def figures(samples: Mapping[str, Sequence[Sample]], local: Manifests, services: Manifests) -> list[Figure]:
    """One for each program of the shop, in the order of the names. What is no service is elsewhere an operator's."""
    return [_figure(name, taken, local, services) for name, taken in sorted(samples.items())]


def _figure(name: str, samples: Sequence[Sample], local: Manifests, services: Manifests) -> Figure:
    cpu, memory = ([getattr(each, what) for each in samples] for what in ("millicores", "mebibytes"))
    elsewhere = None if name in STATEFUL else asked_for(name, services)
    return Figure(name, Spread.of(cpu), Spread.of(memory), asked_for(name, local), elsewhere)


def asked_for(program: str, manifests: Manifests) -> Asked:
    """Of the container that a program has in its pod."""
    kind = "StatefulSet" if program in STATEFUL else "Deployment"
    pod = next(pod for pod in manifests.pods(kind) if pod.name == pod_of(program))
    servers = [container for container in pod.containers() if not container.runs_once]
    # A pod that is made from somebody else's image has one, under whatever name.
    found = next((each for each in servers if each.name == container_of(program)), servers[0])
    return _asked(found.spec["resources"])


def _asked(resources: Mapping[str, Mapping[str, str]]) -> Asked:
    requests, limits = resources["requests"], resources["limits"]
    return Asked(
        cpu_request=1000 * float(number_of(requests["cpu"])),
        cpu_limit=1000 * float(number_of(limits["cpu"])),
        memory_request=float(number_of(requests["memory"])) / MEBIBYTE,
        memory_limit=float(number_of(limits["memory"])) / MEBIBYTE,
    )


def requested(manifests: Manifests) -> tuple[float, float]:
    """Sum of all requests, one replica each: millicores and MiB. What runs once and ends counts with its pod only."""
    every = [_pod_request([container.spec for container in pod.containers() if not container.runs_once])
             for pod in manifests.pods("Deployment", "StatefulSet")]  # fmt: skip
    return sum(cpu for cpu, _ in every), sum(memory for _, memory in every)


def _pod_request(containers: Iterable[Mapping[str, Mapping[str, Mapping[str, str]]]]) -> tuple[float, float]:
    asked = [_asked(container["resources"]) for container in containers]
    return sum(each.cpu_request for each in asked), sum(each.memory_request for each in asked)


def _up(value: float, step: int) -> int:
    return max(step, math.ceil(value / step) * step)

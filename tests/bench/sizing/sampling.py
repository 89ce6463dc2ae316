"""CPU and memory of running containers, once a second, as Docker's own stream of statistics tells them.

Docker's figures rather than the files of control groups: those are elsewhere on each system, and on a Mac out of reach.
Memory is without what the kernel could drop, as the kubelet counts it too.
"""

import json
import re
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# What a terminal is told between two pictures.
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_MEMORY = re.compile(r"([\d.]+)([KMG]i)?B")
_MIB = {"": 1 / 1024**2, "Ki": 1 / 1024, "Mi": 1.0, "Gi": 1024.0}


@dataclass(frozen=True)
class Sample:
    """One second of one container."""

    millicores: float
    mebibytes: float


Samples = dict[str, list[Sample]]


def read(lines: Iterable[str], clock: Callable[[], float] = time.monotonic) -> Iterator[tuple[str, Sample]]:
    """Samples by the name of their container, one a second: Docker paints twice as often as it measures."""
    last: dict[str, int] = {}
    for line in lines:
        told = _ESCAPES.sub("", line).strip()
        if not told.startswith("{"):
            continue
        row = json.loads(told)
        sample, now = _sample(row), int(clock())
        if sample is not None and last.get(row["Name"]) != now:
            last[row["Name"]] = now
            yield row["Name"], sample


def _sample(row: Mapping[str, Any]) -> Sample | None:
    """Of a container that has just gone there is nothing to tell."""
    memory = _MEMORY.match(row["MemUsage"])
    if memory is None or not row["CPUPerc"].endswith("%") or "-" in row["CPUPerc"]:
        return None
    return Sample(round(float(row["CPUPerc"].rstrip("%")) * 10, 1), float(memory[1]) * _MIB[memory[2] or ""])


@contextmanager
def sampling(containers: Sequence[str]) -> Iterator[Samples]:
    """Fills up while the block lasts."""
    samples: Samples = defaultdict(list)
    command = ("docker", "stats", "--format", "{{json .}}", *containers)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as stream:
        reader = threading.Thread(target=_fill, args=(samples, stream.stdout), daemon=True)
        reader.start()
        try:
            yield samples
        finally:
            # It takes no notice of SIGTERM.
            stream.kill()
            reader.join()


def _fill(samples: Samples, lines: Iterable[str]) -> None:
    for name, sample in read(lines):
        samples[name].append(sample)

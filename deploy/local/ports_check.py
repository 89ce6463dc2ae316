"""Whether the ports are free, and who has them when they are not."""

import random
import socket

import psutil

from deploy.local.place import OFFSETS, Ports
from deploy.local.screen import RunError
from deploy.local.servers import LOOPBACK

LAST_OFFSET = max(OFFSETS.values())


def require_free(ports: Ports) -> None:
    """Raise RunError naming each port that cannot be had, its holder, and how to change it."""
    refuse_impossible(ports)
    taken = [(name, port, reason) for name, port in ports.all().items() if (reason := _obstacle(port))]
    if not taken:
        return
    lines = [f"port {port} for {name} is not free: {reason}" for name, port, reason in taken]
    raise RunError("\n".join(lines), _advice([name for name, _, _ in taken], ports))


def refuse_impossible(ports: Ports) -> None:
    """Ports must exist, and be different ones."""
    numbers = list(ports.all().values())
    if not all(0 < number < 65536 for number in numbers):
        raise RunError("ports go from 1 to 65535", f"BASE_PORT= needs {LAST_OFFSET} more above itself")
    if len(set(numbers)) < len(numbers):
        raise RunError(
            f"PORT={ports.gateway} lies inside the block that BASE_PORT={ports.base} begins",
            f"leave {ports.base} to {ports.base + LAST_OFFSET} out",
        )


def free_ports() -> Ports:
    """A block of free ports away from the usual ones, for a run beside the user's own.

    Any of them: two runs that look at the same time would find the same first one.
    """
    bases = range(18100, 30000, 100)
    for base in random.sample(bases, len(bases)):
        ports = Ports(gateway=base, base=base)
        if not any(_obstacle(port) for port in ports.all().values()):
            return ports
    raise RunError("no block of free ports between 18100 and 30000")


def _advice(names: list[str], ports: Ports) -> str:
    changes = ["PORT=9080"] if "gateway" in names else [f"PORT={ports.gateway}"]
    if names != ["gateway"]:
        changes.append("BASE_PORT=9100")
    return f"choose others with: make up {' '.join(changes)}"


def _obstacle(port: int) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        # A listener on all interfaces does not always keep others from binding to one: ask before trying.
        client.settimeout(1)
        if client.connect_ex((LOOPBACK, port)) == 0:
            return f"{_holder(port)} listens on it"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            return "this account may not use it"
        except OSError as error:
            return error.strerror or str(error)
    return None


def _holder(port: int) -> str:
    for process in psutil.process_iter(["name"]):
        try:
            connections = process.net_connections(kind="tcp")
        except (psutil.Error, OSError):
            continue  # another account's process does not tell
        if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections):
            return f"process {process.pid} ({process.info['name']})"
    return "another account's process"

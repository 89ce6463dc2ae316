"""Killed and restarted in mid-traffic: every order still ends, and the books balance."""

import os
import signal
import subprocess
import sys

import pytest

from deploy.local.place import ROOT
from deploy.local.readiness import wait_ready
from deploy.local.screen import Step
from deploy.local.supervisor import Supervisor
from tests.system.shop import Shop, until

ORDERS, RATE = 260, 8.0


@pytest.mark.timeout(240)
def test_services_killed_one_after_the_other_lose_nothing(shop: Shop) -> None:
    supervisor = Supervisor(shop.place)
    if not supervisor.running():
        pytest.skip("the shop does not run under Supervisor here: there is nobody to restart what is killed")
    with _start("traffic", "--orders", str(ORDERS), "--rate", str(RATE)) as traffic:
        _wait_for_first_orders(traffic)
        for name in ("orders", "inventory", "payments", "psp", "catalog", "gateway"):
            _kill_and_wait(supervisor, shop, name)
        out, _ = traffic.communicate(timeout=150)
    assert traffic.returncode == 0, out
    with _start("invariants") as check:
        out, _ = check.communicate(timeout=60)
    assert check.returncode == 0, out


def _kill_and_wait(supervisor: Supervisor, shop: Shop, name: str) -> None:
    """SIGKILL, and wait until Supervisor has brought the service back and it is ready."""
    pid = supervisor.process(name).pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: supervisor.process(name).pid not in (0, pid), f"{name} was not restarted")
    wait_ready(shop.place, supervisor, (name,), Step(name), seconds=30)


def _wait_for_first_orders(traffic: "subprocess.Popen[str]") -> None:
    assert traffic.stdout is not None
    for line in traffic.stdout:
        if line.startswith("customers"):
            return
    raise AssertionError("the traffic ended before its first order")


def _start(module: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", f"tests.{module}", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

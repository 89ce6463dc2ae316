"""`make test-images` asks for the tests of the images and fails without them; a run of all tests goes without."""

import os
import subprocess
import sys

from deploy.local.place import ROOT

ABSENT = {"DOCKER_HOST": "unix:///nowhere.sock", "TEST_SERVERS": "embedded"}


def _pytest(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", *arguments, "tests/images/test_config.py"]
    return subprocess.run(command, env={**os.environ, **ABSENT}, cwd=ROOT, capture_output=True, text=True, check=False)


def test_who_asks_for_the_images_is_told_what_is_missing() -> None:
    done = _pytest("-m", "images")
    assert done.returncode == 4
    assert done.stderr.strip() == "ERROR: the images cannot be tested: no Docker engine answers; start one"


def test_a_run_of_all_tests_goes_without_them() -> None:
    done = _pytest()
    assert done.returncode == 0
    assert "no Docker engine answers" in done.stdout
    assert "passed" not in done.stdout

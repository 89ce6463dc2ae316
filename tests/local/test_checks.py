"""Everything is run, and what failed is told once more at the end."""

import io

import pytest
from rich.console import Console

from deploy.local import checks
from deploy.local.screen import Screen


def test_a_failed_check_stops_no_other_and_its_last_lines_are_told_again(capfd: pytest.CaptureFixture[str]) -> None:
    said = io.StringIO()
    planned = {
        "bad": checks.python("timeit", "--no-such-option"),
        "good": checks.python("platform"),
    }

    failed = checks.run_all(planned, {}, Screen(Console(file=said, width=200)))

    assert failed == ["bad"]
    assert "no-such-option" in said.getvalue().split("bad failed, and had said at last:")[1]
    assert "no-such-option" in capfd.readouterr().out

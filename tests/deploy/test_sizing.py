"""docs/sizing.md is of these manifests: what it was measured against is what they still ask for."""

import pytest

from deploy.local.place import ROOT
from tests.bench.sizing import figures
from tests.bench.sizing.report import COLUMNS
from tests.deploy.conftest import Render

PAGE = ROOT / "docs" / "sizing.md"


def _rows() -> dict[str, list[str]]:
    """The cells of each container."""
    table = [line.strip("| \n").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return {cells[0]: cells for cells in table if len(cells) == len(COLUMNS) and cells[1].isdecimal()}


@pytest.mark.parametrize("name", _rows())
def test_the_page_tells_what_the_manifests_ask_for(name: str, rendered: Render) -> None:
    asked = figures.asked_for(name, rendered("local"))
    cells = _rows()[name]
    told = [cells[4], cells[6], cells[10], cells[11]]
    found = (asked.cpu_request, asked.cpu_limit, asked.memory_request, asked.memory_limit)
    assert told == [f"{value:.0f}" for value in found]


def test_the_page_tells_of_everything_that_runs() -> None:
    assert len(_rows()) == 20

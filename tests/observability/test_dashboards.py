"""The dashboards as Grafana reads them: made from their tables, whole, in words that Prometheus understands."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.observability.__main__ import BOARDS, FOLDER, files
from deploy.observability.__main__ import DASHBOARDS as ON_DISK
from deploy.observability.dashboards.panels import COLUMNS
from tests.observability.files import DASHBOARDS, expressions, targets
from tests.observability.promtool import promtool

PROVISIONING = FOLDER / "grafana" / "provisioning"
SOURCES: list[Any] = yaml.safe_load((PROVISIONING / "datasources" / "datasources.yaml").read_text())["datasources"]


@pytest.mark.parametrize("file", files(), ids=lambda file: file.name)
def test_a_file_is_what_its_table_makes(file: Path) -> None:
    assert file.read_text() == files()[file], "run: .venv/bin/python -m deploy.observability"


def test_no_dashboard_is_without_a_table() -> None:
    assert {file for file in files() if file.suffix == ".json"} == set(ON_DISK.iterdir())


def test_there_is_a_dashboard_for_each_concern_under_an_address_of_its_own() -> None:
    assert [board.uid for board in BOARDS] == ["gateway", "breakers", "saga", "messages", "jetstream", "postgres"]
    assert len({board.title for board in BOARDS}) == len(BOARDS)


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_no_panels_overlap_or_leave_the_page(uid: str) -> None:
    places = [panel["gridPos"] for panel in DASHBOARDS[uid]["panels"]]

    assert all(0 <= place["x"] <= COLUMNS - place["w"] for place in places)
    assert [pair for pair in combinations(places, 2) if _overlap(*pair)] == []


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (apart_x or apart_y)


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_panels_and_their_queries_can_be_told_apart(uid: str) -> None:
    panels = DASHBOARDS[uid]["panels"]

    assert _repeated(panel["id"] for panel in panels) == []
    assert _repeated(panel["title"] for panel in panels) == []
    assert [panel["title"] for panel in panels if _repeated(target["refId"] for target in panel["targets"])] == []


def _repeated(values: Iterator[Any]) -> list[Any]:
    return [value for value, times in Counter(values).items() if times > 1]


def test_every_panel_asks_a_data_source_that_is_provisioned() -> None:
    asked = {target["datasource"]["uid"] for _, _, target in targets()} | set(_linked())

    assert asked == {source["uid"] for source in SOURCES}
    assert [source["type"] for source in SOURCES] == [source["uid"] for source in SOURCES]


def _linked() -> Iterator[str]:
    """The data sources that others lead to: from a log line to its trace, from a span to its lines."""
    for source in SOURCES:
        yield from (field["datasourceUid"] for field in source["jsonData"].get("derivedFields", []))
        if (logs := source["jsonData"].get("tracesToLogsV2")) is not None:
            yield logs["datasourceUid"]


def test_prometheus_understands_every_expression(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(expressions())]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    tmp_path.chmod(0o755)

    done = promtool("check", "rules", str(file), folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr

"""The alerts: each fires when it should, is silent when it should, and says what to do."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.observability.cases_of_requests import REQUESTS
from tests.observability.cases_of_the_inside import INSIDE, SERVICES
from tests.observability.files import ALERTS, GROUPS, RULES
from tests.observability.promtool import PROMETHEUS, ROOT, promtool
from tests.observability.rule_case import Case

CASES = (*REQUESTS, *INSIDE)
RUNBOOKS = (ROOT / "docs" / "observability.md").read_text()


def test_prometheus_accepts_its_configuration_and_rules() -> None:
    done = promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_when_it_should_and_only_then(tmp_path: Path) -> None:
    files = [_write(tmp_path, interval) for interval in sorted({case.interval for case in CASES})]

    done = promtool("test", "rules", *map(str, files), folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def _write(folder: Path, interval: str) -> Path:
    file = folder / f"{interval}.yaml"
    tests = [_as_promtool(case) for case in CASES if case.interval == interval]
    contents = {
        "rule_files": [*map(str, RULES)],
        "evaluation_interval": interval,
        "group_eval_order": _order(),
        "tests": tests,
    }
    file.write_text(yaml.safe_dump(contents))
    file.chmod(0o644)
    folder.chmod(0o755)
    return file


def _order() -> list[str]:
    """First what is measured, then who looks at it: promtool's own order changes from run to run."""
    return [group["name"] for group in GROUPS]


def _as_promtool(case: Case) -> dict[str, Any]:
    fired = []
    if case.summary is not None:
        rule = ALERTS[case.alert]
        annotations = {"summary": case.summary, "runbook": rule["annotations"]["runbook"]}
        fired = [{"exp_labels": {**rule["labels"], **case.labels}, "exp_annotations": annotations}]
    return {
        "interval": case.interval,
        "input_series": [{"series": series, "values": values} for series, values in case.history.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": case.alert, "exp_alerts": fired}],
    }


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_case_that_fires_it_and_one_that_does_not(alert: str) -> None:
    cases = [case for case in CASES if case.alert == alert]

    assert {case.summary is None for case in cases} == {True, False}


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_severity_and_a_section_that_says_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]

    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["runbook"] == f"docs/observability.md#{alert.lower()}"
    assert f"\n### {alert}\n" in RUNBOOKS


def test_no_section_is_about_an_alert_that_is_no_more() -> None:
    sections = {line.removeprefix("### ") for line in RUNBOOKS.splitlines() if line.startswith("### ")}

    assert sections == set(ALERTS)


def test_every_service_is_scraped_and_missed_when_it_is_gone() -> None:
    (shop,) = (job for job in _scraped() if job["job_name"] == "shop")

    assert sorted(shop["dns_sd_configs"][0]["names"]) == sorted(SERVICES)
    assert all(f'service="{name}"' in ALERTS["ServiceGone"]["expr"] for name in SERVICES)


def _scraped() -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    return jobs

"""What the collectors are told, as far as it can be tried without them: their queries against a real PostgreSQL."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from tests.observability.promtool import ROOT

FOLDER = ROOT / "deploy" / "observability" / "collector"
CONFIGS: dict[str, Any] = {file.stem: yaml.safe_load(file.read_text()) for file in sorted(FOLDER.glob("*.yaml"))}
RECEIVERS: dict[str, Any] = CONFIGS["databases"]["receivers"]
QUERIES: list[Any] = RECEIVERS["sqlquery/orders"]["queries"]
METRICS: list[Any] = [metric for query in QUERIES for metric in query["metrics"]]
KINDS = ("receivers", "processors", "exporters")


@pytest.mark.parametrize("name", CONFIGS)
def test_every_part_that_is_configured_is_used_and_every_part_that_is_used_is_configured(name: str) -> None:
    config = CONFIGS[name]
    pipelines = config["service"]["pipelines"].values()

    assert set(config.get("extensions", ())) == set(config["service"].get("extensions", ()))
    for kind in KINDS:
        assert set(config[kind]) == {part for pipeline in pipelines for part in pipeline[kind]}


@pytest.mark.parametrize("name", CONFIGS)
def test_memory_is_bounded_before_anything_else_is_done(name: str) -> None:
    for pipeline in CONFIGS[name]["service"]["pipelines"].values():
        assert pipeline["processors"][0] == "memory_limiter"


def test_every_database_is_asked_the_same_by_a_role_that_reads_no_row() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    databases = {name.removesuffix("-db") for name in compose if name.endswith("-db")}

    assert {name.partition("/")[2] for name in RECEIVERS} == databases
    for name, receiver in RECEIVERS.items():
        database = name.partition("/")[2]
        assert receiver["queries"] == QUERIES
        assert f"host={database}-db port=5432 dbname={database} user=monitor password=$" in receiver["datasource"]


def test_docker_is_told_to_write_the_names_that_the_log_collector_asks_for() -> None:
    options = yaml.safe_load((ROOT / "compose.yaml").read_text())["x-logging"]["options"]

    assert set(options["labels"].split(",")) == set(re.findall(r"com\.docker\.compose\.\w+", _text("logs")))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_collector_finds_the_variables_of_its_configuration(name: str) -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    (service,) = (one for one in services.values() if f"/collector/{name}.yaml:" in str(one.get("volumes")))

    assert set(re.findall(r"\$\{env:(\w+)\}", _text(name))) == set(service.get("environment", {}))


def test_the_document_says_how_much_memory_all_of_it_may_use() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()
    limits = [one["mem_limit"].removesuffix("m") for one in services if one.get("profiles") == ["observability"]]

    assert f"may use {sum(map(int, limits))} MiB" in (ROOT / "docs" / "observability.md").read_text()


def _text(name: str) -> str:
    return (FOLDER / f"{name}.yaml").read_text()


@pytest.fixture
async def monitor(make_database: Any, postgres_server: Any) -> AsyncIterator[Any]:
    """A connection to the database of orders as the role that compose makes for the collector."""
    database = (await make_database("orders")).url.rpartition("/")[2]
    role = f"monitor_{database}"
    root = await asyncpg.connect(postgres_server.url(), password=postgres_server.password)
    for statement in _statements(database, role):
        await root.execute(statement)
    connection = await asyncpg.connect(postgres_server.url(database, role), password="seen")
    yield connection
    await connection.close()
    await root.execute(f"REVOKE CONNECT ON DATABASE {database} FROM {role}")
    await root.execute(f"DROP ROLE {role}")
    await root.close()


def _statements(database: str, role: str) -> list[str]:
    """Those that make the role in compose, under another name: the server is shared with other tests."""
    text = re.sub(r"\bmonitor\b", role, (ROOT / "deploy" / "components" / "postgres" / "database.sql").read_text())
    text = text.replace(':"service"', database).replace(":'monitor_password'", "'seen'")
    return [line for line in text.splitlines() if role in line and not line.startswith(("\\set", "--"))]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query["metrics"][0]["metric_name"])
async def test_a_query_gives_each_metric_a_number_and_its_labels(monitor: Any, query: Any) -> None:
    rows = await monitor.fetch(query["sql"])

    assert rows
    for metric in query["metrics"]:
        numeric = float if metric.get("value_type") == "double" else int
        assert {type(row[metric["value_column"]]) for row in rows} == {numeric}
        labels = [tuple(row[column] for column in metric["attribute_columns"]) for row in rows]
        assert None not in {value for row in labels for value in row}
        assert len(set(labels)) == len(labels), "two rows would be one series"


async def test_the_role_that_asks_cannot_read_a_customers_order(monitor: Any) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await monitor.fetch("SELECT * FROM orders")


def test_a_counter_ends_in_total_and_nothing_else_does() -> None:
    assert {metric["metric_name"] for metric in METRICS if metric.get("monotonic")} == {
        metric["metric_name"] for metric in METRICS if metric["metric_name"].endswith("_total")
    }


@pytest.mark.parametrize("file", ["dashboards/databases.py", "prometheus/alerts.yml"])
def test_dashboards_and_alerts_name_only_metrics_that_are_asked_for(file: str) -> None:
    text = (ROOT / "deploy" / "observability" / Path(file)).read_text()

    assert set(re.findall(r"postgres_[a-z_]+", text)) <= {metric["metric_name"] for metric in METRICS}

"""From what Docker tells to what a manifest should say."""

import itertools
from pathlib import Path

import pytest

from deploy.compose import project
from deploy.local.screen import RunError
from tests.bench.sizing import figures, report
from tests.bench.sizing.__main__ import by_program, commit_of, containers
from tests.bench.sizing.sampling import Sample, read
from tests.deploy.manifests import Manifests

# A piece of what `docker stats` writes, with what it tells a terminal: each second twice, and a container that goes.
RECORDED = Path(__file__).with_name("recorded.txt")
ASKED = figures.Asked(cpu_request=40, cpu_limit=1000, memory_request=112, memory_limit=192)


def recorded() -> list[tuple[str, Sample]]:
    ticks = itertools.count(0, 0.25)  # two containers a picture, two pictures a second
    return list(read(RECORDED.read_text().splitlines(), lambda: next(ticks)))


def test_docker_paints_twice_a_second_and_is_counted_once() -> None:
    assert recorded() == [
        ("shop-gateway-1", Sample(0.7, 56.79)),
        ("shop-facade-1", Sample(81.1, 105.5)),
        ("shop-gateway-1", Sample(1205.0, 1228.8)),
        ("shop-facade-1", Sample(0.0, 0.5)),
    ]


def test_a_container_that_has_gone_tells_nothing() -> None:
    gone = '{"CPUPerc":"--","MemUsage":"-- / --","Name":"shop-gateway-1"}'
    assert list(read([gone])) == []


def test_percentiles_of_a_hundred_seconds() -> None:
    spread = figures.Spread.of([float(value) for value in range(101)])
    assert (spread.p50, spread.p90, spread.p99) == (50, 90, 99)


def figure(cpu: float, memory: float) -> figures.Figure:
    flat = figures.Spread(cpu, cpu, cpu), figures.Spread(memory, memory, memory)
    return figures.Figure("orders", *flat, ASKED, figures.Asked(130, 1000, 112, 192))


def test_requests_are_the_p90_and_the_limit_is_half_more_than_the_p99() -> None:
    seen = figure(cpu=31, memory=100)
    assert (seen.cpu_request, seen.memory_request, seen.memory_limit) == (40, 112, 160)
    assert seen.short() == []


def test_on_a_laptop_the_p50_is_asked_for_and_elsewhere_the_p90() -> None:
    spread = figures.Spread(31, 131, 300)
    seen = figures.Figure("orders", spread, figures.Spread(1, 1, 1), ASKED, figures.Asked(130, 1000, 112, 192))
    assert (seen.cpu_request_local, seen.cpu_request) == (40, 140)
    assert seen.short() == ["orders: CPU request 130, by the rule 140"]


def test_a_manifest_that_asks_for_less_is_named() -> None:
    assert figure(cpu=41, memory=129).short() == [
        "orders: CPU request of the local overlay 40, by the rule 50",
        "orders: memory request 112, by the rule 144",
        "orders: memory limit 192, by the rule 208",
    ]


def test_the_page_says_load_machine_and_what_falls_short() -> None:
    load = report.Load(20, 180, 3600, "0123456789ab", "2 cores")
    page = report.section([figure(41, 100)], (1990, 4000), load)
    assert page.startswith(report.HEADING)
    assert "20 requests a second for 180 s (3600 in all" in page
    assert "0123456789ab, on 2 cores" in page
    assert "| orders | 41 | 41 | 41 | 40 | 130 | 1000 | 100 | 100 | 100 | 112 | 192 |" in page
    assert "| CPU, millicores | ≤ 2000 | 1990 |" in page
    assert "- orders: CPU request of the local overlay 40, by the rule 50" in page
    assert "Every request and limit keeps to the rule." in report.section([figure(1, 1)], (1, 1), load)


RESOURCES = {"requests": {"cpu": "40m", "memory": "112Mi"}, "limits": {"cpu": "1", "memory": "192Mi"}}
GREATER = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}}


def manifests() -> Manifests:
    """An init container that ends, a service, a sidecar; and a database."""
    init = [
        {"name": "install", "resources": GREATER},
        {"name": "bridge", "restartPolicy": "Always", "resources": RESOURCES},
    ]
    pod = {"initContainers": init, "containers": [{"name": "service", "resources": RESOURCES}]}
    database = {"containers": [{"name": "postgres", "resources": GREATER}]}
    return Manifests(
        "local",
        [
            {"kind": "Deployment", "metadata": {"name": "legacy"}, "spec": {"template": {"spec": pod}}},
            {"kind": "StatefulSet", "metadata": {"name": "legacy-db"}, "spec": {"template": {"spec": database}}},
        ],
    )


def test_each_program_is_found_in_the_manifests() -> None:
    assert figures.asked_for("legacy", manifests()) == ASKED
    assert figures.asked_for("bridge", manifests()) == ASKED
    assert figures.asked_for("legacy-db", manifests()) == figures.Asked(1000, 2000, 1024, 2048)


def test_what_ends_does_not_add_to_the_sum_of_what_runs() -> None:
    assert figures.requested(manifests()) == (1080, 1248)


def test_replicas_count_together_and_a_gap_is_refused() -> None:
    second = Sample(1, 1)
    running = {"shop-orders-1": "orders", "shop-orders-2": "orders"}
    assert len(by_program(dict.fromkeys(running, [second] * 9), running, 10)["orders"]) == 16
    with pytest.raises(RunError, match="6 of 10 seconds"):
        by_program({"shop-orders-1": [second] * 9, "shop-orders-2": [second] * 7}, running, 10)


def listed(*absent: str) -> str:
    """What `docker ps` tells of a whole shop, and of what somebody looks on with."""
    services = [*project.RUNNING, "legacy-envoy", "prometheus"]
    return "".join(f"shop-{name}-1 {name}\n" for name in services if name not in absent)


def test_the_containers_of_a_project_are_known_by_their_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "shop")
    monkeypatch.setattr(project, "docker", lambda *_: listed())
    running = containers()
    assert running["shop-orders-db-1"] == "orders-db"
    assert running["shop-legacy-envoy-1"] == "envoy"
    assert running.keys().isdisjoint({"shop-legacy-pod-1", "shop-prometheus-1"})
    monkeypatch.setattr(project, "docker", lambda *_: listed("nats"))
    with pytest.raises(RunError, match="not running in the project shop: nats"):
        containers()


def test_the_commit_is_that_of_the_image_and_not_of_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def docker(*arguments: str) -> str:
        asked.append(arguments)
        return "0123456789ab\n"

    monkeypatch.setattr(project, "docker", docker)
    assert commit_of("shop-gateway-1") == "0123456789ab"
    assert asked == [
        ("inspect", "--format", '{{index .Config.Labels "org.opencontainers.image.revision"}}', "shop-gateway-1")
    ]

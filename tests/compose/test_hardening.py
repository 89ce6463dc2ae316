"""Whatever runs may do no more than it must. An exception stands here by name, with its reason."""

import re
from collections.abc import Mapping

import pytest

from deploy.local.place import ROOT
from tests.compose.composition import DEPLOYABLES, OWN, WITH_DATABASE, composition, is_server, secret_folders, services

ROOT_BY_NUMBER = {"log-collector": "reads the files of Docker's folder, which are root's; it has no capability"}
# A process that is watched by nothing but its own end.
WITHOUT_HEALTH_CHECK = {
    "otel-collector": "has no shell and no probe of its own, and nobody waits for it",
    "log-collector": "the same image",
    "database-collector": "the same image",
    "legacy-envoy": "has no program that could ask it; legacy-pod asks, from the network that they share",
    "traffic": "listens nowhere; it ends after its orders, and is started again",
}
PUBLISHED = {
    "gateway": "the one door of the shop",
    "grafana": "dashboards for people",
    "jaeger": "traces for people",
    "prometheus": "queries for people",
}
# Who is in the network of another container instead of one of its own.
SHARES_A_NETWORK = {
    "legacy": "listens on 127.0.0.1 of the pod, so that only Envoy reaches it",
    "legacy-envoy": "is the way in",
}
# Whose secrets a container sees, where its own name does not say it.
OTHERS_SECRETS = {
    "setup": ({""}, "makes them all, and ends before anybody else starts"),
    "seed": ({"operator"}, "acts as the operator, and needs that login only"),
    "verify": ({"auditor"}, "looks on by roles that only read"),
    "database-collector": ({"monitor"}, "looks on by a role that reads statistics only"),
    "snapshot": ({"bridge"}, "is a command of the bridge"),
    "facade": ({"facade", "facade-certificates"}, "shows a certificate on the way to the old shop"),
    "legacy-envoy": ({"legacy-envoy", "legacy-certificates"}, "shows the other one; the first folder is configuration"),
}
SECRET = re.compile(r"secret|passw|token|credential|api_?key|private", re.IGNORECASE)
NAMES_OF_FILES = re.compile(r"(_FILE|_DIR|_SECRETS)$")

every = pytest.mark.parametrize("name", sorted(services()))


@every
def test_it_has_a_read_only_root_no_capability_and_gains_no_privilege(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "pid", "ipc", "userns_mode", "devices"} & service.keys()
    shared = {"service:legacy-pod"} if name in SHARES_A_NETWORK else {None, "none"}
    assert service.get("network_mode") in shared


@every
def test_its_memory_processor_time_and_processes_are_bounded(name: str) -> None:
    service = services()[name]
    assert re.fullmatch(r"\d+m", service["mem_limit"])
    assert 0 < float(service["cpus"]) <= 1
    assert 0 < service["pids_limit"] <= 200


@every
def test_it_says_what_becomes_of_it_when_it_ends(name: str) -> None:
    assert services()[name]["restart"] in ("no", "unless-stopped")


@every
def test_it_runs_as_a_user_by_number(name: str) -> None:
    service = services()[name]
    if service["image"].startswith(OWN):
        assert "user" not in service, "the image says it, and its tests look there"
        recipe = (ROOT / service["build"]["dockerfile"]).read_text()
        assert re.findall(r"(?m)^USER (.*)$", recipe) == ["65532:65532"]
    else:
        number, _, _ = str(service["user"]).partition(":")
        assert number.isdigit()
        assert (number == "0") == (name in ROOT_BY_NUMBER)


@every
def test_a_server_has_a_health_check_that_needs_no_shell(name: str) -> None:
    service = services()[name]
    if not is_server(service) or name in WITHOUT_HEALTH_CHECK:
        assert "healthcheck" not in service
        return
    kind, program, *_ = service["healthcheck"]["test"]
    assert kind == "CMD"
    assert program not in ("sh", "/bin/sh", "bash")


@every
def test_ports_are_published_on_this_machine_only_and_by_few(name: str) -> None:
    ports = services()[name].get("ports", [])
    assert bool(ports) == (name in PUBLISHED)
    assert all(port.startswith("127.0.0.1:") for port in ports)


@every
def test_it_sees_its_own_secrets_only(name: str) -> None:
    service = services()[name]
    own = name.removesuffix("-migrate")
    wanted = {own, f"{own}/init"} if name.endswith("-db") else {own}
    allowed, _ = OTHERS_SECRETS.get(name, (wanted, ""))
    assert secret_folders(service) <= allowed
    mounts = [volume for volume in service.get("volumes", []) if isinstance(volume, dict)]
    assert all(mount.get("read_only") for mount in mounts)


@every
def test_no_secret_is_in_the_environment(name: str) -> None:
    environment = services()[name].get("environment", {})
    assert [key for key in environment if SECRET.search(key) and not NAMES_OF_FILES.search(key)] == []


def test_only_the_network_of_published_ports_has_a_way_out() -> None:
    networks: Mapping[str, Mapping[str, bool]] = composition()["networks"]
    assert [name for name, network in networks.items() if not network.get("internal")] == ["edge"]
    on_edge = {name for name, service in services().items() if "edge" in service.get("networks", [])}
    assert on_edge == PUBLISHED.keys()


def on(network: str) -> set[str]:
    """Who is on a network."""
    return {name for name, service in services().items() if network in service.get("networks", [])}


@pytest.mark.parametrize("name", WITH_DATABASE)
def test_a_database_is_on_a_network_with_its_service_and_those_who_look_on(name: str) -> None:
    lookers = {"verify", "database-collector"} if name != "identity" else {"database-collector"}
    # The old shop is reached in its pod; whoever works in its database is a guest there.
    own = {"legacy-pod", "bridge", "snapshot"} if name == "legacy" else {name}
    assert on(f"{name}-db") == {*own, f"{name}-migrate", f"{name}-db", *lookers}
    assert services()[f"{name}-db"]["networks"] == [f"{name}-db"]


def test_the_card_processor_can_be_reached_by_payments_and_the_old_shop_only() -> None:
    assert on("card") == {"payments", "legacy-pod", "psp", "otel-collector", "prometheus", "faults"}


def test_the_old_shop_can_be_reached_by_the_facade_only_and_listens_to_its_own_envoy_only() -> None:
    assert on("old") == {"legacy-pod", "facade"}
    assert services()["legacy-pod"]["networks"]["old"] == {"aliases": ["legacy"]}
    assert services()["legacy"]["environment"]["HOST"] == "127.0.0.1"
    assert services()["facade"]["environment"]["LEGACY_URL"].startswith("https://legacy:")


def test_the_bus_is_for_those_who_speak_on_it() -> None:
    speakers = {name for name in DEPLOYABLES if "NATS_URL" in services()[name]["environment"]}
    assert on("bus") == {"nats", "verify", "replay", "snapshot", *speakers}


@pytest.mark.parametrize("table", [ROOT_BY_NUMBER, WITHOUT_HEALTH_CHECK, PUBLISHED, OTHERS_SECRETS, SHARES_A_NETWORK])
def test_no_exception_is_for_somebody_who_is_not_there(table: Mapping[str, object]) -> None:
    assert table.keys() <= services().keys()

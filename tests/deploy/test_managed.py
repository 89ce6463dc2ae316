"""What staging and production share, where it is written by a command or must agree with what is written elsewhere."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kubernetes import external_secrets, generate, rules
from deploy.local import nats_config
from deploy.local.place import ROOT, Ports
from tests.deploy.conftest import Render
from tests.deploy.manifests import Manifests, title
from tests.deploy.quantities import number_of
from tests.deploy.rendering import Object

LASTING = ("staging", "production")
CLUSTER_WIDE = {"Namespace", "PriorityClass", "ClusterSecretStore"}
WAVE = "argocd.argoproj.io/sync-wave"
# In the files that the overlays are made of, where a name or a value stands that is put in later.
PLACEHOLDERS = re.compile(r"\b(replaced|patched|workload|environment)\b")
# These have no fellow in the store: certificates are cert-manager's, faults are never on here.
NOT_STORED = {"legacy-server-tls", "legacy-client-tls", "faults", *external_secrets.ONLY_LOCAL}


@pytest.fixture(params=LASTING)
def lasting(request: pytest.FixtureRequest, rendered: Render) -> Manifests:
    return rendered(request.param)


def test_the_rules_for_the_operator_are_those_that_prometheus_reads() -> None:
    assert rules.FILE.read_text() == rules.text(), "python -m deploy.kubernetes.rules"
    kept = {rule.get("alert") or rule["record"] for group in rules.groups() for rule in group["rules"]}
    for name in rules.SOURCES:
        for group in yaml.safe_load((rules.RULES / name).read_text())["groups"]:
            assert {rule.get("alert") or rule["record"] for rule in group["rules"]} <= kept


def test_nobody_is_called_for_a_card_processor_that_is_not_ours() -> None:
    (gone,) = (rule for group in rules.groups() for rule in group["rules"] if rule.get("alert") == "ServiceGone")
    assert "psp" not in gone["expr"]
    assert 'absent(up{job="shop", service="payments"})' in gone["expr"]


def test_each_alert_has_a_page_that_says_what_to_do(lasting: Manifests) -> None:
    for each in lasting.of("PrometheusRule"):
        for rule in (rule for group in each["spec"]["groups"] for rule in group["rules"] if "alert" in rule):
            page, _, section = rule["annotations"]["runbook"].partition("#")
            headings = re.findall(r"(?m)^#+ (.+)$", (ROOT / page).read_text())
            assert section == rule["alert"].lower()
            assert rule["alert"] in headings


def test_the_secrets_are_those_of_the_tables() -> None:
    assert external_secrets.FILE.read_text() == external_secrets.text(), "python -m deploy.kubernetes.external_secrets"


def test_the_store_gives_what_the_local_overlay_is_given(tmp_path: Path) -> None:
    generate.generate(tmp_path, "0123456789ab", faults=True)
    stored = {each["metadata"]["name"]: _keys(each) for each in external_secrets.objects()}
    # An empty folder is no Secret: the gateway has none.
    folders = {each for each in tmp_path.iterdir() if each.is_dir() and any(each.iterdir())}
    folders = {each for each in folders if each.name not in NOT_STORED}
    for folder in folders:
        local = {file.name for file in folder.iterdir()} - {"faults_token"}
        # An operator logs in to make the database, and reads a role's name and password.
        assert stored[folder.name] == ({"username", "password"} if folder.name.endswith("-db") else local), folder.name
    others = set(stored) - {folder.name for folder in folders}
    assert others == {"backups", "bridge-role"}


def test_what_several_must_agree_on_is_stored_once() -> None:
    places: dict[str, set[str]] = {}
    for each in external_secrets.objects():
        for entry in each["spec"]["data"]:
            places.setdefault(entry["remoteRef"]["property"], set()).add(entry["remoteRef"]["key"])
    own = {"database_password", "nats_password"}
    assert {name: len(where) for name, where in places.items() if name not in own and len(where) > 1} == {}


def test_the_accounts_of_the_bus_are_put_together_as_locally(tmp_path: Path) -> None:
    generate.generate(tmp_path, "0123456789ab")
    place = generate.Generated(tmp_path, Ports())
    (nats,) = (each for each in external_secrets.objects() if each["metadata"]["name"] == "nats")
    text = nats["spec"]["target"]["template"]["data"]["users.conf"]
    for entry in nats["spec"]["data"]:
        password = place.secret(entry["remoteRef"]["key"], entry["remoteRef"]["property"])
        text = text.replace(f"{{{{ .{entry['secretKey']} | toRawJson }}}}", json.dumps(password))
    accounts = [each for each in nats_config.users(place) if each.name not in external_secrets.ONLY_LOCAL]
    assert text == nats_config.render_users(accounts)


def test_whoever_can_log_in_to_a_database_works_there(lasting: Manifests) -> None:
    logins = {
        (each["metadata"]["name"], role["name"])
        for each in lasting.of("Cluster")
        for role in each["spec"]["managed"].get("roles", ())
    }
    assert logins == {("legacy-db", "bridge")}


def test_every_place_was_given_its_name(lasting: Manifests) -> None:
    """Names and values that an overlay puts in are nowhere left as they were."""
    for each in lasting.objects:
        if each["kind"] not in ("ConfigMap", "PrometheusRule"):
            assert not any(PLACEHOLDERS.search(value) for value in _values(each)), title(each)


def test_what_belongs_to_the_cluster_bears_the_environments_name(lasting: Manifests) -> None:
    for each in lasting.of(*CLUSTER_WIDE):
        assert each["metadata"]["name"].split(".")[0] == f"banyan-{lasting.overlay}"
        assert "namespace" not in each["metadata"], "the API server refuses it"
    for each in lasting.objects:
        if each["kind"] not in CLUSTER_WIDE:
            assert each["metadata"]["namespace"] == f"banyan-{lasting.overlay}", title(each)


def test_one_environment_does_not_know_of_the_other(lasting: Manifests) -> None:
    (other,) = set(LASTING) - {lasting.overlay}
    assert [title(each) for each in lasting.objects if any(f"banyan-{other}" in value for value in _values(each))] == []


def test_the_environments_differ_in_nothing_but_who_and_how_large(rendered: Render) -> None:
    staging, production = ({title(each) for each in rendered(name).objects} for name in LASTING)
    plain = [{name.replace(f"banyan-{which}", "") for name in names} for which, names in zip(
        LASTING, (staging, production), strict=True
    )]  # fmt: skip
    assert {name for name in plain[0] - plain[1] if "psp" not in name and not name.startswith("ConfigMap")} == set()
    assert {name for name in plain[1] - plain[0] if not name.startswith("ConfigMap")} == {
        "NetworkPolicy/payments-to-processor"
    }


def test_production_has_no_stand_in_and_nobody_speaks_to_one(rendered: Render) -> None:
    named = [title(each) for each in rendered("production").objects if "psp" in each["metadata"]["name"]]
    assert named == []


def test_orders_has_one_autoscaler(lasting: Manifests) -> None:
    assert not lasting.find("HorizontalPodAutoscaler", "orders")
    scaled = lasting.find("ScaledObject", "orders")
    assert scaled
    assert {each["type"] for each in scaled["spec"]["triggers"]} == {"cpu", "nats-jetstream", "prometheus"}
    (cpu,) = (each for each in scaled["spec"]["triggers"] if each["type"] == "cpu")
    others = [each["spec"]["metrics"][0]["resource"]["target"] for each in lasting.of("HorizontalPodAutoscaler")]
    assert {(each["type"], each["averageValue"]) for each in others} == {(cpu["metricType"], cpu["metadata"]["value"])}
    assert scaled["spec"]["fallback"]["replicas"] >= scaled["spec"]["minReplicaCount"] >= 2


def test_the_lag_is_asked_where_a_server_can_be_named(lasting: Manifests) -> None:
    """The scaler puts a server's name before the host: it must be the Service that gives them names."""
    scaled, bus = lasting.find("ScaledObject", "orders"), lasting.find("StatefulSet", "nats")
    assert scaled
    assert bus
    (lag,) = (each["metadata"] for each in scaled["spec"]["triggers"] if each["type"] == "nats-jetstream")
    host, _, port = lag["natsServerMonitoringEndpoint"].partition(":")
    assert host == f"{bus['spec']['serviceName']}.banyan-{lasting.overlay}.svc.cluster.local"
    assert int(port) in {each["containerPort"] for each in bus["spec"]["template"]["spec"]["containers"][0]["ports"]}


def test_the_servers_of_the_bus_know_all_of_them(lasting: Manifests) -> None:
    bus = lasting.find("StatefulSet", "nats")
    assert bus
    (config,) = (each["data"]["cluster.conf"] for each in lasting.of("ConfigMap") if "cluster.conf" in each["data"])
    expected = [f"nats://nats-{n}.{bus['spec']['serviceName']}:6222" for n in range(bus["spec"]["replicas"])]
    assert re.findall(r"nats://[^\s]+", config) == expected
    replicas = {
        each["data"]["STREAM_REPLICAS"] for each in lasting.of("ConfigMap") if "NATS_URL" in each.get("data", {})
    }
    assert replicas == {str(bus["spec"]["replicas"])}


def test_what_is_kept_for_a_copy_that_is_away_fits_its_volume(lasting: Manifests) -> None:
    for each in lasting.of("Cluster"):
        kept = each["spec"]["postgresql"]["parameters"]["max_slot_wal_keep_size"].replace("GB", "Gi")
        assert number_of(kept) <= number_of(each["spec"]["walStorage"]["size"]) / 2, title(each)


def test_a_server_of_the_bus_has_time_to_hand_over(lasting: Manifests) -> None:
    bus = lasting.find("StatefulSet", "nats")
    assert bus
    (config,) = (each["data"]["cluster.conf"] for each in lasting.of("ConfigMap") if "cluster.conf" in each["data"])
    seconds = sum(int(number) for number in re.findall(r"lame_duck_\w+: (\d+)s", config))
    assert bus["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > seconds


def test_who_may_speak_to_whom_is_settled_before_anybody_speaks(lasting: Manifests) -> None:
    """Services too: the servers of the bus find each other by one, and become ready only then."""
    for kind in ("Service", "NetworkPolicy"):
        assert max(map(_wave, lasting.of(kind))) < min(map(_wave, lasting.of("StatefulSet", "Cluster"))), kind


def test_a_certificate_comes_before_those_who_need_it(lasting: Manifests) -> None:
    """The door is not well without its own, nor an issuer without the secret of its authority."""
    made_by = {each["spec"]["secretName"]: each for each in lasting.of("Certificate")}
    users = {"Gateway": ["edge-tls"], "Deployment": ["legacy-server-tls", "legacy-client-tls"]}
    for kind, names in users.items():
        assert max(_wave(made_by[name]) for name in names) < min(map(_wave, lasting.of(kind))), kind
    for issuer in lasting.of("Issuer"):
        authority = issuer["spec"].get("ca", {}).get("secretName")
        assert not authority or _wave(made_by[authority]) < _wave(issuer), title(issuer)
    for each in made_by.values():
        found = lasting.find("Issuer", each["spec"]["issuerRef"]["name"])
        assert not found or _wave(found) <= _wave(each), title(each)


def _keys(secret: Object) -> set[str]:
    template: Mapping[str, Any] = secret["spec"].get("target", {}).get("template", {})
    return set(template.get("data", {})) or {entry["secretKey"] for entry in secret["spec"]["data"]}


def _wave(each: Object) -> int:
    return int(each["metadata"].get("annotations", {}).get(WAVE, 0))


def _values(tree: Any) -> list[str]:
    """All texts in it, but not those for people."""
    if isinstance(tree, dict):
        return [text for key, value in tree.items() if key != "description" for text in _values(value)]
    if isinstance(tree, list):
        return [text for value in tree for text in _values(value)]
    return [tree] if isinstance(tree, str) else []

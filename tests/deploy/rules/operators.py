"""What operators are asked for: each reference of a custom resource to another object holds."""

from collections.abc import Iterator

from tests.deploy.made import endpoints, port_behind, secrets
from tests.deploy.manifests import Manifests, selects, title
from tests.deploy.rendering import Object
from tests.deploy.rules.rule import LASTING, rule

# Stores and issuers of a cluster belong to whoever runs it.
_OF_THE_CLUSTER = {"ClusterSecretStore", "ClusterIssuer"}
# What the operator of the databases writes on volumes itself.
_OF_THE_OPERATOR = {f"app.kubernetes.io/{name}" for name in ("name", "managed-by", "component")}


@rule("banyan", overlays=LASTING)
def a_monitor_finds_pods_and_ports(manifests: Manifests) -> Iterator[str]:
    for monitor in manifests.of("PodMonitor"):
        selector = monitor["spec"]["selector"]
        found = [each for each in endpoints(manifests) if selects(selector, each.labels)]
        for end in monitor["spec"]["podMetricsEndpoints"]:
            yield from (f"{title(monitor)} {each.name}: {end}" for each in found if end["port"] not in each.ports)
        if not found:
            yield f"{title(monitor)} finds nobody"
    for monitor in manifests.of("ServiceMonitor"):
        yield from _of_services(manifests, monitor)


def _of_services(manifests: Manifests, monitor: Object) -> Iterator[str]:
    selector = monitor["spec"]["selector"]
    found = [each for each in manifests.of("Service") if selects(selector, each["metadata"].get("labels", {}))]
    for end in monitor["spec"]["endpoints"]:
        for service in found:
            if end["port"] not in {port.get("name") for port in service["spec"]["ports"]}:
                yield f"{title(monitor)} {title(service)}: {end['port']}"
    if not found:
        yield f"{title(monitor)} finds nobody"


@a_monitor_finds_pods_and_ports.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("ServiceMonitor", "PodMonitor")[0]["spec"]["selector"] = {"matchLabels": {"app": "nobody"}}


@rule("banyan", overlays=LASTING)
def a_certificate_has_an_issuer_and_an_issuer_its_authority(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("Certificate"):
        issuer = each["spec"]["issuerRef"]
        kind = issuer.get("kind", "Issuer")
        if kind not in _OF_THE_CLUSTER and not manifests.find(kind, issuer["name"]):
            yield f"{title(each)}: {issuer}"
    for each in manifests.of("Issuer"):
        authority = each["spec"].get("ca", {}).get("secretName")
        if authority and authority not in secrets(manifests):
            yield f"{title(each)}: Secret {authority}"


@a_certificate_has_an_issuer_and_an_issuer_its_authority.broken_by
def _(manifests: Manifests) -> None:
    for each in manifests.of("Certificate"):
        each["spec"]["issuerRef"] = {"name": "nobody"}


@rule("banyan", overlays=LASTING)
def a_secret_comes_from_a_store_that_is_there(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("ExternalSecret"):
        store = each["spec"]["secretStoreRef"]
        if store.get("kind", "SecretStore") not in _OF_THE_CLUSTER and not manifests.find("SecretStore", store["name"]):
            yield f"{title(each)}: {store}"
        if "refreshInterval" not in each["spec"]:
            yield f"{title(each)} is never renewed"


@a_secret_comes_from_a_store_that_is_there.broken_by
def _(manifests: Manifests) -> None:
    del manifests.of("ExternalSecret")[0]["spec"]["refreshInterval"]


@rule("banyan", overlays=LASTING)
def what_a_database_cluster_names_is_there(manifests: Manifests) -> Iterator[str]:
    there = secrets(manifests)
    for each in manifests.of("Cluster"):
        roles = each["spec"].get("managed", {}).get("roles", ())
        needed = [each["spec"]["bootstrap"]["initdb"].get("secret", {}).get("name")]
        for name in needed + [role.get("passwordSecret", {}).get("name") for role in roles]:
            if not name or not {"username", "password"} <= there.get(name, set()):
                yield f"{title(each)}: Secret {name} with username and password"


@what_a_database_cluster_names_is_there.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("Cluster")[0]["spec"]["bootstrap"]["initdb"]["secret"]["name"] = "nobody"


@rule("banyan", overlays=LASTING)
def nobody_overrides_a_label_of_the_operator(manifests: Manifests) -> Iterator[str]:
    """It would change each volume from one to the other and back, with every look at it."""
    for each in manifests.of("Cluster"):
        labels = each["spec"].get("inheritedMetadata", {}).get("labels", {})
        yield from (f"{title(each)}: {name}" for name in _OF_THE_OPERATOR & labels.keys())


@nobody_overrides_a_label_of_the_operator.broken_by
def _(manifests: Manifests) -> None:
    labels = manifests.of("Cluster")[0]["spec"]["inheritedMetadata"]["labels"]
    labels["app.kubernetes.io/name"] = "orders-db"


@rule("banyan", overlays=LASTING)
def each_database_is_backed_up(manifests: Manifests) -> Iterator[str]:
    backups = {each["spec"]["cluster"]["name"] for each in manifests.of("ScheduledBackup")}
    for each in manifests.of("Cluster"):
        stores = [plugin.get("parameters", {}).get("barmanObjectName") for plugin in each["spec"].get("plugins", ())]
        if not stores or not all(manifests.find("ObjectStore", store or "") for store in stores):
            yield f"{title(each)} keeps nothing in {stores}"
    yield from (f"Cluster/{name}" for name in manifests.names("Cluster") ^ backups)


@each_database_is_backed_up.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("ScheduledBackup")[0]["spec"]["cluster"]["name"] = "nobody"


@rule("banyan", overlays=LASTING)
def a_commit_is_on_two_machines_before_it_is_told(manifests: Manifests) -> Iterator[str]:
    for each in manifests.of("Cluster"):
        synchronous = each["spec"].get("postgresql", {}).get("synchronous", {})
        if synchronous.get("number", 0) < 1 or synchronous.get("dataDurability", "required") != "required":
            yield title(each)


@a_commit_is_on_two_machines_before_it_is_told.broken_by
def _(manifests: Manifests) -> None:
    manifests.of("Cluster")[0]["spec"]["postgresql"].pop("synchronous")


@rule("banyan", overlays=LASTING)
def keda_asks_where_somebody_answers(manifests: Manifests) -> Iterator[str]:
    """Of a server of ours by the full name of its Service; whoever logs in names what it logs in with."""
    (namespace,) = manifests.names("Namespace")
    for each in manifests.of("ScaledObject"):
        for trigger in each["spec"]["triggers"]:
            host, _, port = trigger["metadata"].get("natsServerMonitoringEndpoint", "").partition(":")
            name, _, rest = host.partition(".")
            if host and (not rest.startswith(namespace) or not port_behind(manifests, name, int(port))):
                yield f"{title(each)}: {host}:{port}"
            reference = trigger.get("authenticationRef")
            if reference and not manifests.find(reference.get("kind", "TriggerAuthentication"), reference["name"]):
                yield f"{title(each)}: {reference}"


@keda_asks_where_somebody_answers.broken_by
def _(manifests: Manifests) -> None:
    for trigger in manifests.of("ScaledObject")[0]["spec"]["triggers"]:
        trigger["metadata"]["natsServerMonitoringEndpoint"] = "nats.elsewhere.svc:8222"

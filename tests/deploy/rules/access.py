"""Secrets and rights: no secret where it can be read by chance, no right that nobody needs."""

import re
from collections.abc import Iterator

from deploy.local.programs import BY_NAME
from tests.deploy.made import secrets
from tests.deploy.manifests import Manifests, plain, title
from tests.deploy.ours import name_of
from tests.deploy.rules.rule import LASTING, rule

_SECRET = re.compile(r"(?i)(password|passwd|secret|token|api_?key|private|credential)")
# Names of files and folders, not what is in them.
_PLACES = re.compile(r"/run/[a-z./_-]+")
_RIGHTS = {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}


@rule("kubescape: C-0207", "polaris: sensitiveContainerEnvVar")
def a_secret_is_a_file(manifests: Manifests) -> Iterator[str]:
    """An environment is shown by `kubectl describe`, inherited by children, and not renewed by a rotation."""
    for each in manifests.containers():
        yield from (f"{each} {name}" for name, value in manifests.environment(each) if _is_secret(name, value))
        for variable in each.spec.get("env", ()):
            if "secretKeyRef" in variable.get("valueFrom", {}):
                yield f"{each} {variable['name']}"
        if any("secretRef" in source for source in each.spec.get("envFrom", ())):
            yield f"{each} envFrom"


def _is_secret(name: str, value: str) -> bool:
    return bool(_SECRET.search(name)) and not _PLACES.fullmatch(value)


@a_secret_is_a_file.broken_by
def _(manifests: Manifests) -> None:
    reference = {"secretKeyRef": {"name": "orders", "key": "database_password"}}
    manifests.servers()[0].spec.setdefault("env", []).append({"name": "DB", "valueFrom": reference})


@rule("kubescape: C-0012", "polaris: sensitiveConfigmapContent")
def no_secret_is_in_a_config_map(manifests: Manifests) -> Iterator[str]:
    inline = re.compile(r"(?i)\b(password|token|api_?key)\b\s*[:=]\s*\"?[\w-]{8,}|://[^/\s:@]+:[^/\s@]+@|PRIVATE KEY")
    for each in manifests.of("ConfigMap"):
        for key, value in each.get("data", {}).items():
            if inline.search(value) or _is_secret(key, value):
                yield f"{title(each)} {key}"


@no_secret_is_in_a_config_map.broken_by
def _(manifests: Manifests) -> None:
    data = next(each for each in manifests.of("ConfigMap") if "DATABASE_URL" in each.get("data", {}))["data"]
    data["DATABASE_URL"] = "postgresql://orders:hunter2@orders-db:5432/orders"


@rule("banyan", overlays=LASTING)
def no_secret_is_in_the_repository(manifests: Manifests) -> Iterator[str]:
    """Elsewhere than on a laptop they come from the store of secrets."""
    yield from (title(each) for each in manifests.of("Secret"))


@no_secret_is_in_the_repository.broken_by
def _(manifests: Manifests) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "orders"}, "stringData": {"a": "b"}}
    manifests.objects.append(secret)


@rule("kubescape: C-0255", "kubescape: C-0259")
def a_service_is_given_its_own_secrets_and_no_others(manifests: Manifests) -> Iterator[str]:
    """Mounted at /run/secrets, read only, for its group alone; faults_token is there while faults are on."""
    there = secrets(manifests)
    for each in manifests.containers():
        name = name_of(each)
        if name not in BY_NAME:
            continue
        volumes = {volume["name"]: volume for volume in each.pod.spec.get("volumes", ())}
        mounted = [mount for mount in each.spec.get("volumeMounts", ()) if "secret" in volumes[mount["name"]]]
        own = [mount for mount in mounted if mount["mountPath"] == "/run/secrets"]
        for mount in own:
            source = volumes[mount["name"]]["secret"]
            if plain(source["secretName"]) != name or not mount.get("readOnly"):
                yield f"{each}: {mount}"
            if source.get("defaultMode") != 0o440:
                yield f"{each}: mode {source.get('defaultMode')}"
            keys = there.get(source["secretName"], set()) - {"faults_token"}
            if keys != set(BY_NAME[name].secret_names()):
                yield f"{each}: {sorted(keys ^ set(BY_NAME[name].secret_names()))} too many or missing"
        if bool(own) != bool(BY_NAME[name].secret_names()) and not each.runs_once:
            yield f"{each} mounts {len(own)}"


@a_service_is_given_its_own_secrets_and_no_others.broken_by
def _(manifests: Manifests) -> None:
    orders = next(pod for pod in manifests.pods() if pod.name == "orders")
    volume = next(
        each for each in orders.spec["volumes"] if plain(each.get("secret", {}).get("secretName", "")) == "orders"
    )
    volume["secret"]["secretName"] = "payments"


@rule(
    "polaris: clusterrolebindingClusterAdmin", "polaris: rolebindingClusterAdminClusterRole",
    "polaris: clusterrolePodExecAttach", "polaris: rolePodExecAttach", "kubescape: C-0002", "kubescape: C-0007",
    "kubescape: C-0015", "kubescape: C-0035", "kubescape: C-0063", "kubescape: C-0065", "kubescape: C-0187",
    "kubescape: C-0188", "kubescape: C-0262", "kubescape: C-0265", "kubescape: C-0272",
)  # fmt: skip
def nobody_has_a_right_in_the_cluster(manifests: Manifests) -> Iterator[str]:
    """No workload asks the API for anything, so none of the many rules about roles has anything to look at."""
    yield from (title(each) for each in manifests.objects if each["kind"] in _RIGHTS)


@nobody_has_a_right_in_the_cluster.broken_by
def _(manifests: Manifests) -> None:
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "all"}, "rules": rules}
    manifests.objects.append(role)

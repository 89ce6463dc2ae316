"""What a container may do, and how much of a machine it may take."""

from collections.abc import Iterator

from tests.deploy.manifests import Container, Manifests
from tests.deploy.quantities import number_of
from tests.deploy.rendering import Object
from tests.deploy.rules.rule import rule


def first(manifests: Manifests) -> Container:
    """Some server, for those who break things."""
    return manifests.servers()[0]


def context(manifests: Manifests) -> Object:
    own: Object = first(manifests).spec.setdefault("securityContext", {})
    return own


@rule("polaris: runAsPrivileged", "kube-score: container-security-context-privileged", "kubescape: C-0057")
def no_container_is_privileged(manifests: Manifests) -> Iterator[str]:
    yield from (str(each) for each in manifests.containers() if each.context("privileged"))


@no_container_is_privileged.broken_by
def _(manifests: Manifests) -> None:
    context(manifests)["privileged"] = True


@rule("polaris: privilegeEscalationAllowed", "kubescape: C-0016")
def no_process_gains_privileges(manifests: Manifests) -> Iterator[str]:
    yield from (str(each) for each in manifests.containers() if each.context("allowPrivilegeEscalation") is not False)


@no_process_gains_privileges.broken_by
def _(manifests: Manifests) -> None:
    context(manifests).pop("allowPrivilegeEscalation")


@rule(
    "polaris: notReadOnlyRootFilesystem",
    "kube-score: container-security-context-readonlyrootfilesystem",
    "kubescape: C-0017",
)
def the_root_is_read_only(manifests: Manifests) -> Iterator[str]:
    yield from (str(each) for each in manifests.containers() if each.context("readOnlyRootFilesystem") is not True)


@the_root_is_read_only.broken_by
def _(manifests: Manifests) -> None:
    context(manifests)["readOnlyRootFilesystem"] = False


@rule("polaris: runAsRootAllowed", "kubescape: C-0013")
def nobody_is_root(manifests: Manifests) -> Iterator[str]:
    yield from (str(each) for each in manifests.containers() if each.context("runAsNonRoot") is not True)
    yield from (f"{each} as root" for each in manifests.containers() if each.context("runAsUser") == 0)


@nobody_is_root.broken_by
def _(manifests: Manifests) -> None:
    context(manifests)["runAsUser"] = 0


@rule("kube-score: container-security-context-user-group-id")
def users_and_groups_are_numbers_that_no_node_knows(manifests: Manifests) -> Iterator[str]:
    """PostgreSQL's image makes its cluster as the user that it was built with."""
    least = {"postgres": 999}
    for each in manifests.containers():
        repository = each.spec["image"].split(":")[0].split("/")[-1]
        for key in ("runAsUser", "runAsGroup"):
            if (each.context(key) or 0) < least.get(repository, 10_000):
                yield f"{each} {key} {each.context(key)}"


@users_and_groups_are_numbers_that_no_node_knows.broken_by
def _(manifests: Manifests) -> None:
    context(manifests)["runAsUser"] = 1000


@rule("polaris: dangerousCapabilities", "polaris: insecureCapabilities", "kubescape: C-0046")
def no_capability_is_kept(manifests: Manifests) -> Iterator[str]:
    for each in manifests.containers():
        capabilities = each.context("capabilities") or {}
        if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
            yield str(each)


@no_capability_is_kept.broken_by
def _(manifests: Manifests) -> None:
    context(manifests)["capabilities"] = {"drop": ["ALL"], "add": ["NET_ADMIN"]}


@rule("kube-score: container-seccomp-profile", "polaris: linuxHardening", "kubescape: C-0210", "kubescape: C-0055")
def seccomp_is_on(manifests: Manifests) -> Iterator[str]:
    for each in manifests.containers():
        if (each.context("seccompProfile") or {}).get("type") != "RuntimeDefault":
            yield str(each)


@seccomp_is_on.broken_by
def _(manifests: Manifests) -> None:
    context(manifests)["seccompProfile"] = {"type": "Unconfined"}


@rule("polaris: procMount", "polaris: hostProcess")
def the_kernel_shows_no_more_than_usual(manifests: Manifests) -> Iterator[str]:
    for each in manifests.containers():
        if each.context("procMount") or each.context("windowsOptions"):
            yield str(each)


@the_kernel_shows_no_more_than_usual.broken_by
def _(manifests: Manifests) -> None:
    context(manifests)["procMount"] = "Unmasked"


@rule("polaris: hostPortSet", "kubescape: C-0044")
def no_port_of_a_node_is_taken(manifests: Manifests) -> Iterator[str]:
    for each in manifests.containers():
        if any("hostPort" in port for port in each.spec.get("ports", ())):
            yield str(each)


@no_port_of_a_node_is_taken.broken_by
def _(manifests: Manifests) -> None:
    first(manifests).spec["ports"] = [{"containerPort": 8080, "hostPort": 8080}]


NEEDED = ("cpu", "memory", "ephemeral-storage")


@rule(
    "kube-score: container-resources", "kube-score: container-ephemeral-storage-request-and-limit",
    "polaris: cpuRequestsMissing", "polaris: cpuLimitsMissing", "polaris: memoryRequestsMissing",
    "polaris: memoryLimitsMissing", "kubescape: C-0268", "kubescape: C-0269", "kubescape: C-0270", "kubescape: C-0271",
)  # fmt: skip
def each_container_asks_for_what_it_takes(manifests: Manifests) -> Iterator[str]:
    for each in manifests.containers():
        resources = each.spec.get("resources", {})
        for kind in ("requests", "limits"):
            missing = [name for name in NEEDED if name not in resources.get(kind, {})]
            if missing:
                yield f"{each} has no {kind} of {missing}"


@each_container_asks_for_what_it_takes.broken_by
def _(manifests: Manifests) -> None:
    del first(manifests).spec["resources"]["limits"]["memory"]


@rule("banyan")
def nothing_is_asked_for_that_is_beyond_the_limit(manifests: Manifests) -> Iterator[str]:
    for each in manifests.containers():
        requests, limits = (each.spec.get("resources", {}).get(key, {}) for key in ("requests", "limits"))
        for name in requests.keys() & limits.keys():
            if not 0 < number_of(requests[name]) <= number_of(limits[name]):
                yield f"{each} {name}: {requests[name]} of {limits[name]}"


@nothing_is_asked_for_that_is_beyond_the_limit.broken_by
def _(manifests: Manifests) -> None:
    first(manifests).spec["resources"]["requests"]["memory"] = "1Ti"


@rule("kube-score: environment-variable-key-duplication")
def no_setting_is_given_twice(manifests: Manifests) -> Iterator[str]:
    for each in manifests.containers():
        names = [name for name, _ in manifests.environment(each)]
        yield from (f"{each} {name}" for name in sorted(set(names)) if names.count(name) > 1)


@no_setting_is_given_twice.broken_by
def _(manifests: Manifests) -> None:
    first(manifests).spec["env"] = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]


@rule("kube-score: container-ports-check")
def ports_have_names_of_their_own(manifests: Manifests) -> Iterator[str]:
    for pod in manifests.pods():
        ports = [port for each in pod.containers() for port in each.spec.get("ports", ())]
        yield from (f"{pod} {port['containerPort']} has no name" for port in ports if "name" not in port)
        for key in ("name", "containerPort"):
            values = [port.get(key) for port in ports]
            yield from (f"{pod} {value} twice" for value in set(values) if values.count(value) > 1)


@ports_have_names_of_their_own.broken_by
def _(manifests: Manifests) -> None:
    container = next(each for each in manifests.servers() if each.spec.get("ports"))
    container.spec["ports"] = [*container.spec["ports"], *container.spec["ports"]]


@rule("kubescape: C-0042", "kubescape: C-0062")
def no_container_runs_a_shell_or_sudo(manifests: Manifests) -> Iterator[str]:
    """PostgreSQL's own entry point is a script of its image."""
    for each in manifests.containers():
        words = [str(word).split("/")[-1] for word in (each.spec.get("command") or [])[:1]]
        if set(words) & {"sh", "bash", "sudo", "sshd"}:
            yield str(each)


@no_container_runs_a_shell_or_sudo.broken_by
def _(manifests: Manifests) -> None:
    first(manifests).spec["command"] = ["/bin/sh", "-c", "true"]

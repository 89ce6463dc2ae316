"""Where images come from, and that what runs can be told from its tag."""

import re
from collections.abc import Iterator

from deploy.local.place import ROOT
from tests.compose.composition import OWN, PINNED, services
from tests.deploy.manifests import Manifests, plain
from tests.deploy.ours import REGISTRY, image_of
from tests.deploy.rendering import Object
from tests.deploy.rules.rule import rule


def baked() -> set[str]:
    """The images that docker-bake.hcl makes, `banyan/orders` and so on, without their tag."""
    text = (ROOT / "docker-bake.hcl").read_text()
    names: set[str] = set()
    for block in re.findall(r'(?ms)^target "[^"]+" \{(.*?)^\}', text):
        matrix = re.search(r"matrix\s*=\s*\{ \w+ = \[(.*?)\] \}", block)
        several = re.findall(r'"([^"]+)"', matrix[1]) if matrix else [""]
        for tag in re.findall(r'tags\s*=\s*\["([^"]+):\$\{COMMIT\}"\]', block):
            names |= {re.sub(r"\$\{\w+\}", name, tag) for name in several}
    return names


@rule("banyan")
def each_of_our_images_is_one_that_bake_builds(manifests: Manifests) -> Iterator[str]:
    for each in manifests.containers():
        if image_of(each) and image_of(each) not in baked():
            yield f"{each}: {each.spec['image']}"


@each_of_our_images_is_one_that_bake_builds.broken_by
def _(manifests: Manifests) -> None:
    container = next(each for each in manifests.containers() if image_of(each))
    container.spec["image"] = "banyan/ordres:0123456789ab"


@rule("kube-score: container-image-tag", "polaris: tagNotSpecified", "kubescape: C-0075")
def our_images_have_the_commit_for_their_tag(manifests: Manifests) -> Iterator[str]:
    release = [each for each in manifests.of("ConfigMap") if plain(each["metadata"]["name"]) == "release"]
    commits = {each["data"]["COMMIT"] for each in release}
    if len(commits) != 1 or not all(re.fullmatch(r"[0-9a-f]{12}(-dirty)?", commit) for commit in commits):
        yield f"one release is to be named, not {sorted(commits)}"
    for each in manifests.containers():
        tag = each.spec["image"].split("@")[0].rpartition(":")[2]
        if image_of(each) and {tag} != commits:
            yield f"{each}: {each.spec['image']}"


@our_images_have_the_commit_for_their_tag.broken_by
def _(manifests: Manifests) -> None:
    container = next(each for each in manifests.containers() if image_of(each))
    container.spec["image"] = container.spec["image"].rpartition(":")[0] + ":latest"


@rule("kubescape: C-0001", "kubescape: C-0078")
def other_images_are_pinned_by_their_digest(manifests: Manifests) -> Iterator[str]:
    for name, image in images(manifests):
        if not image.startswith((OWN, REGISTRY)) and not PINNED.fullmatch(image):
            yield f"{name}: {image}"


def images(manifests: Manifests) -> Iterator[tuple[str, str]]:
    """Who runs what: containers, and the instances that CloudNativePG makes."""
    yield from ((str(each), each.spec["image"]) for each in manifests.containers())
    for each in manifests.of("Cluster"):
        yield f"Cluster/{each['metadata']['name']}", each["spec"].get("imageName", "")


@other_images_are_pinned_by_their_digest.broken_by
def _(manifests: Manifests) -> None:
    container = next(each for each in manifests.containers() if "@" in each.spec["image"])
    container.spec["image"] = container.spec["image"].split("@")[0]


@rule("banyan")
def other_images_are_those_of_compose(manifests: Manifests) -> Iterator[str]:
    known = {service["image"].split(":")[0]: service["image"] for service in services().values()}
    for name, image in images(manifests):
        repository = image.split(":")[0]
        if not image.startswith((OWN, REGISTRY)) and known.get(repository, image) != image:
            yield f"{name}: {image}, in compose {known[repository]}"


@other_images_are_those_of_compose.broken_by
def _(manifests: Manifests) -> None:
    container = next(each for each in manifests.containers() if each.spec["image"].startswith("nats:"))
    container.spec["image"] = f"nats:1.0@sha256:{'0' * 64}"


@rule("kube-score: container-image-pull-policy", "polaris: pullPolicyNotAlways")
def an_image_is_pulled_once(manifests: Manifests) -> Iterator[str]:
    """Both tools ask for Always, so that nobody runs what he may not pull; a tag that never moves has no need of it.

    Locally nothing may be pulled at all: the images were loaded into the node.
    """
    for each in manifests.containers():
        allowed = {"Never", "IfNotPresent"} if manifests.overlay == "local" else {"IfNotPresent", "Always"}
        if each.spec.get("imagePullPolicy", "IfNotPresent") not in allowed:
            yield str(each)


@an_image_is_pulled_once.broken_by
def _(manifests: Manifests) -> None:
    first: Object = manifests.containers()[0].spec
    first["imagePullPolicy"] = "Never" if manifests.overlay != "local" else "Always"

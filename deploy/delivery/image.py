"""An image as its engine or its registry describes it, whichever has it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deploy.delivery.asking import NOT_INSTALLED, Answer, Ask, Failed

REVISION = "org.opencontainers.image.revision"
TITLE = "org.opencontainers.image.title"
OURS = "banyan-"
# One question for all, by a template, for the whole answer as JSON leaves the attestations out.
REGISTRY = (
    '{"manifest":{{json .Manifest}},"image":{{json .Image}},"provenance":{{json .Provenance}},"sbom":{{json .SBOM}}}'
)


@dataclass(frozen=True)
class Image:
    """`revision` is what label and environment name, None where they name nothing.

    `remote` is its name in a registry, with the digest. Attestations are by platform, empty where there are none;
    `unasked` says why the registry did not answer.
    """

    reference: str
    title: str | None
    revision: str | None
    created: str
    platforms: tuple[str, ...]
    remote: str | None = None
    provenance: Mapping[str, Any] | None = None
    sbom: Mapping[str, Any] | None = None
    unasked: str | None = None

    @property
    def local(self) -> bool:
        """Whether no registry is known to have it."""
        return self.remote is None


def find(reference: str, ask: Ask) -> Image:
    """The image of the local engine, with what its registry adds; without a local one the registry's.

    Raises `Failed` where neither has it, or Docker is not there.
    """
    answer = ask(("docker", "image", "inspect", reference))
    if answer.code == NOT_INSTALLED:
        raise Failed("docker is not installed: it is what images are looked at with")
    if not answer.good:
        return _of_registry(reference, answer, ask)
    (found,) = json.loads(answer.out)
    image = _described(reference, {f"{found['Os']}/{found['Architecture']}": found | {"config": found["Config"]}})
    known = found.get("RepoDigests") or []
    if not known:
        return image
    # Pushed to several, it is the same in each; the one that was asked for goes first.
    mine = [name for name in known if name.partition("@")[0] == repository(reference)]
    return _with_attestations(image, (mine or known)[0], ask)


def repository(reference: str) -> str:
    """Its name without tag and digest; the colon of a port is before the last slash."""
    head, slash, last = reference.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _of_registry(reference: str, engine: Answer, ask: Ask) -> Image:
    answer = _ask_registry(reference, ask)
    if not answer.good:
        missing = "No such image" in engine.err
        here = "it is not here" if missing else engine.complaint
        raise Failed(f"no image {reference}: {here}; and a registry says: {answer.complaint}")
    return _attested(reference, json.loads(answer.out))


def _with_attestations(image: Image, remote: str, ask: Ask) -> Image:
    """What was pulled, or pushed, has a digest; its registry knows what is attached to that."""
    answer = _ask_registry(remote, ask)
    if not answer.good:
        return replace(image, remote=remote, unasked=answer.complaint)
    return replace(_attested(image.reference, json.loads(answer.out)), remote=remote)


def _ask_registry(reference: str, ask: Ask) -> Answer:
    return ask(("docker", "buildx", "imagetools", "inspect", "--format", REGISTRY, reference))


def _attested(reference: str, told: Mapping[str, Any]) -> Image:
    configurations = told["image"] or {}
    image = _described(reference, _by_platform(configurations, _platform(configurations), "config"))
    platform = image.platforms[0]
    provenance = _by_platform(told["provenance"] or {}, platform, "SLSA")
    sbom = _by_platform(told["sbom"] or {}, platform, "SPDX")
    remote = f"{repository(reference)}@{told['manifest']['digest']}"
    return replace(image, remote=remote, provenance=provenance, sbom=sbom)


def _by_platform(found: Mapping[str, Any], platform: str, sign: str) -> dict[str, Any]:
    """Of an image of one platform the tool tells the thing itself, of one of several a table of them."""
    table = {platform: found} if sign in found else found
    return {name: thing for name, thing in table.items() if sign in thing}


def _platform(configuration: Mapping[str, Any]) -> str:
    return f"{configuration.get('os', 'unknown')}/{configuration.get('architecture', 'unknown')}"


def _described(reference: str, configurations: Mapping[str, Any]) -> Image:
    if not configurations:
        raise Failed(f"{reference} is no image that can run: it has no configuration")
    revisions = {_revision(reference, found["config"]) for found in configurations.values()}
    if len(revisions) > 1:
        raise Failed(f"{reference} is of several commits, by platform: {', '.join(sorted(map(str, revisions)))}")
    first = next(iter(configurations.values()))
    labels = first["config"].get("Labels") or {}
    created = str(first.get("created") or first.get("Created") or "unknown")
    return Image(reference, labels.get(TITLE), revisions.pop(), created, tuple(sorted(configurations)))


def _revision(reference: str, configuration: Mapping[str, Any]) -> str | None:
    """What the label says, which the process must say too: it logs what its environment holds."""
    labels = configuration.get("Labels") or {}
    ours = str(labels.get(TITLE)).startswith(OURS)
    # Somebody else's image may well have a variable of this name.
    label, variable = labels.get(REVISION), _variable(configuration.get("Env") or ()) if ours else None
    if label and variable and label != variable:
        raise Failed(f"{reference} contradicts itself: its label names {label}, its environment {variable}")
    named = label or variable
    return None if named in (None, "", "unknown") else str(named)


def _variable(environment: Sequence[str]) -> str | None:
    found = dict(line.split("=", 1) for line in environment if "=" in line)
    return found.get("COMMIT")

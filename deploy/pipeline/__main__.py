"""The steps by their make targets: `make image SERVICE=orders`."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.delivery.signature import SIGNER, WORKFLOW
from deploy.kubernetes.promote import ENVIRONMENTS, release
from deploy.local.place import ROOT
from deploy.pipeline import carry, containers, findings, image, propose
from deploy.pipeline.registry import Repository
from deploy.pipeline.tools import Failed, run

GATE = ".github/trivy/gate.yaml"


def main() -> int:
    """Entry point of the command: 0, or 1 with one line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.pipeline", description=__doc__)
    parser.add_argument("step", choices=sorted(STEPS))
    step = parser.parse_args().step
    try:
        STEPS[step]()
    except Failed as failure:
        sys.stderr.write(f"{step}: {failure}\n")
        return 1
    return 0


def build() -> None:
    service = _service()
    for platform, layout in image.build(service, run).items():
        print(f"{service} for {platform}: {layout.folder.relative_to(ROOT)}")


def scan() -> None:
    """Of what `make image` has made, or of any IMAGE."""
    command = ("trivy", "image", "--config", GATE)
    if named := os.environ.get("IMAGE"):
        print(run((*command, named)))
        return
    for folder in image.scannable(_service()):
        print(run((*command, "--input", str(folder))))


def push() -> None:
    layout, repository = image.made(_service()), _repository(_service())
    image.commit(layout)
    repository.push(str(layout.folder), layout.digest)
    print(f"pushed {repository.name}@{layout.digest}, without a tag")


def sign() -> None:
    layout, repository = image.made(_service()), _repository(_service())
    who = signer()
    repository.sign(layout.digest, who)
    print(f"signed {repository.name}@{layout.digest} by {who}")


def signer(environ: Mapping[str, str] = os.environ) -> str:
    """Whose signature counts: this repository's pipeline on main, even where it is called something else."""
    server, repository = environ.get("GITHUB_SERVER_URL", "https://github.com"), environ.get("GITHUB_REPOSITORY")
    return environ.get("SIGNER") or (f"{server}/{repository}/{WORKFLOW}" if repository else SIGNER)


def tag() -> None:
    layout, repository = image.made(_service()), _repository(_service())
    commit = image.commit(layout)
    repository.tag(layout.digest, commit)
    print(f"{repository.name}:{commit} is {layout.digest}")


def carried() -> None:
    sha = _told("SHA")
    for service in image.SERVICES:
        print(f"{service}: {carry.carry(_repository(service), sha, carry.paths(service))}")


def promoted_image() -> None:
    """The image that an environment runs of a service, told to GitHub's next steps too; none before it is published."""
    environment = _told("ENV")
    if environment not in ENVIRONMENTS:
        raise Failed(f"ENV={environment} is none of {', '.join(ENVIRONMENTS)}")
    commit = (ROOT / release(environment)).read_text().strip().removeprefix("COMMIT=")
    repository = _repository(_service())
    if repository.digest(commit) is None:
        print(f"{repository.name}:{commit} was never published: there is nothing to scan")
        return
    line = f"image={repository.name}:{commit}"
    print(line)
    if output := os.environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a") as file:
            file.write(f"{line}\n")


def compose_up() -> None:
    print(containers.up())


def report() -> None:
    print(findings.report(run))


def ask() -> None:
    print(propose.propose(_told("ENV"), run))


STEPS: Mapping[str, Callable[[], None]] = {
    "image": build,
    "scan": scan,
    "push": push,
    "sign": sign,
    "tag": tag,
    "carry": carried,
    "promoted-image": promoted_image,
    "findings": report,
    "propose": ask,
    "compose-up": compose_up,
}


def _service() -> str:
    service = _told("SERVICE")
    if service not in image.SERVICES:
        raise Failed(f"SERVICE={service} is none of {', '.join(image.SERVICES)}")
    return service


def _repository(service: str) -> Repository:
    return Repository(f"{_told('REGISTRY')}/{service}", run)


def _told(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise Failed(f"which one? {name}=…")
    return value


if __name__ == "__main__":
    sys.exit(main())

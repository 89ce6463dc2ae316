"""What describes the delivery, as text: so that a rule can be asked of the repository, and of one that breaks it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from deploy.local.place import ROOT

WORKFLOWS = ".github/workflows/"
SERVICE = f"{WORKFLOWS}service.yml"
SYSTEM = f"{WORKFLOWS}system.yml"
SINGLE = (
    "Makefile", ".ci/run", ".pre-commit-config.yaml", ".dockerignore", "docker-bake.hcl", "uv.lock", "compose.yaml",
    "services/Dockerfile", "deploy/compose/Dockerfile", "deploy/local/setup.sh",
)  # fmt: skip
TRIGGER = True  # YAML 1.1 takes the key `on` for a yes.
Yaml = Any


@dataclass(frozen=True)
class Job:
    """One job of one workflow."""

    workflow: str
    name: str
    body: Mapping[str, Yaml]

    @property
    def steps(self) -> list[Mapping[str, Yaml]]:
        return list(self.body.get("steps", []))

    @property
    def commands(self) -> list[str]:
        return [str(step["run"]) for step in self.steps if "run" in step]

    def __str__(self) -> str:
        return f"{self.workflow}: {self.name}"


@dataclass(frozen=True)
class Repository:
    """Files by their path; `changed` gives another one in which something is different."""

    files: Mapping[str, str]

    def changed(self, path: str, old: str, new: str) -> "Repository":
        text = self.files[path]
        assert old in text, f"{path} has no {old!r} that could be changed"
        return Repository({**self.files, path: text.replace(old, new, 1)})

    def without(self, path: str) -> "Repository":
        return Repository({name: text for name, text in self.files.items() if name != path})

    def with_file(self, path: str, text: str) -> "Repository":
        return Repository({**self.files, path: text})

    @cached_property
    def workflows(self) -> dict[str, Yaml]:
        """What each file of .github/workflows says."""
        return {path: yaml.safe_load(text) for path, text in self.files.items() if path.startswith(WORKFLOWS)}

    @cached_property
    def services(self) -> list[str]:
        found = (re.fullmatch(r"services/([a-z]+)/pyproject\.toml", path) for path in self.files)
        return sorted(match[1] for match in found if match)

    @property
    def callers(self) -> dict[str, Yaml]:
        """The workflows that call service.yml, by the name of their file."""
        return {
            Path(path).stem: workflow
            for path, workflow in self.workflows.items()
            if any("/service.yml" in str(job.get("uses", "")) for job in workflow["jobs"].values())
        }

    def jobs(self) -> Iterator[Job]:
        for path, workflow in self.workflows.items():
            for name, body in workflow["jobs"].items():
                yield Job(path, name, body)

    def job(self, path: str, name: str) -> Job:
        return Job(path, name, self.workflows[path]["jobs"][name])

    def seen_by_pull_requests(self) -> Iterator[Job]:
        """Those that a pull request starts, maybe a stranger's."""
        started = {path for path, workflow in self.workflows.items() if "pull_request" in triggers(workflow)}
        if any(f"{WORKFLOWS}{name}.yml" in started for name in self.callers):
            started.add(SERVICE)
        for job in self.jobs():
            if job.workflow in started and not only_on_main(job):
                yield job


def triggers(workflow: Yaml) -> Mapping[str, Yaml]:
    return dict(workflow[TRIGGER])


def only_on_main(job: Job) -> bool:
    """Whether it is written down that it runs for what was merged alone."""
    return job.body.get("if") == "github.event_name != 'pull_request' && github.ref == 'refs/heads/main'"


@cache
def here() -> Repository:
    """This checkout."""
    github = (file for file in (ROOT / ".github").rglob("*") if file.is_file())
    packages = ROOT.glob("services/*/pyproject.toml")
    extra = (*ROOT.glob("deploy/**/*.yaml"), ROOT / "tests/servers/images.py", ROOT / "tests/deploy/schemas/SOURCES.md")
    ours = (file for file in (*extra, *ROOT.glob("deploy/**/*.py")) if "generated" not in file.parts)
    files = (*github, *packages, *ours, *(ROOT / name for name in SINGLE))
    return Repository({str(file.relative_to(ROOT)): file.read_text() for file in files})

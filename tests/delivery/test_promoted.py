"""`make promoted-image`: what the nightly scan is told to look at."""

from pathlib import Path

import pytest

from deploy.kubernetes.promote import release
from deploy.local.place import ROOT
from deploy.pipeline import __main__ as pipeline
from deploy.pipeline.tools import Failed
from tests.delivery.registry import DIGEST, FakeRegistry

COMMIT = (ROOT / release("staging")).read_text().strip().removeprefix("COMMIT=")


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where GitHub reads what a step hands on."""
    file = tmp_path / "output"
    told = {"ENV": "staging", "SERVICE": "orders", "REGISTRY": "registry.example/banyan-shop", "GITHUB_OUTPUT": file}
    for name, value in told.items():
        monkeypatch.setenv(name, str(value))
    return file


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> FakeRegistry:
    made = FakeRegistry()
    monkeypatch.setattr(pipeline, "run", made.run)
    return made


def test_the_scan_is_told_what_the_environment_runs(output: Path, registry: FakeRegistry) -> None:
    registry.held[COMMIT] = DIGEST
    pipeline.promoted_image()
    assert output.read_text() == f"image=registry.example/banyan-shop/orders:{COMMIT}\n"


@pytest.mark.usefixtures("registry")
def test_what_was_never_published_is_not_scanned(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.promoted_image()
    assert not output.exists()
    assert "was never published" in capsys.readouterr().out


def test_a_registry_that_does_not_answer_is_an_error(output: Path, registry: FakeRegistry) -> None:
    registry.fails = "inspect"
    with pytest.raises(Failed):
        pipeline.promoted_image()
    assert not output.exists()

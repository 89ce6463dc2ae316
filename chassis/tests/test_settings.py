"""Settings: the process ends before it has begun, with the whole list of what is wrong."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from sample.main import Settings

from chassis.settings import load

COMPLETE = {
    "PORT": "8000",
    "DATABASE_URL": "postgresql://sample@localhost/sample",
    "DATABASE_PASSWORD": "swordfish",
    "NATS_URL": "nats://localhost:4222",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [field.upper() for field in Settings.model_fields] + ["SECRETS_DIR"]:
        monkeypatch.delenv(name, raising=False)
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ending:
        load(Settings)
    assert ending.value.code == 2
    return capsys.readouterr().err


def test_a_complete_environment_is_read(environment: pytest.MonkeyPatch) -> None:
    settings = load(Settings)
    assert (settings.port, settings.service_name, settings.namespace) == (8000, "sample", "shop")


def test_everything_that_is_missing_is_told_at_once(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in COMPLETE:
        environment.delenv(name)
    told = refusal(capsys)
    assert [name for name in COMPLETE if f"{name}: missing" in told] == list(COMPLETE)
    assert "SECRETS_DIR" in told, "the remedy is named"


def test_wrong_values_are_told_beside_missing_ones(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("PORT", "eighty")
    environment.delenv("NATS_URL")
    told = refusal(capsys)
    assert "PORT: " in told
    assert "NATS_URL: missing" in told


def test_a_password_inside_the_url_is_refused_and_not_repeated(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("DATABASE_URL", "postgresql://sample:swordfish@localhost/sample")
    told = refusal(capsys)
    assert "DATABASE_URL: " in told
    assert "swordfish" not in told


def test_secrets_come_from_files_and_lose_the_line_end(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delenv("DATABASE_PASSWORD")
    environment.setenv("SECRETS_DIR", str(tmp_path))
    (tmp_path / "database_password").write_text("from a file\n")
    assert load(Settings).database_password.get_secret_value() == "from a file"


def test_a_secrets_folder_that_is_not_there_is_told(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    environment.setenv("SECRETS_DIR", str(tmp_path / "absent"))
    assert "SECRETS_DIR" in refusal(capsys)


@pytest.mark.parametrize(("given", "told_of"), [("NATS_USER", "NATS_PASSWORD"), ("NATS_PASSWORD", "NATS_USER")])
def test_half_a_login_is_an_error(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: str, told_of: str
) -> None:
    environment.setenv(given, "something")
    assert told_of in refusal(capsys)


def test_an_empty_variable_is_an_absent_one(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("FAULTS_TOKEN", "")
    assert load(Settings).faults_token is None, "an empty token would open the faults to everybody"
    environment.setenv("DATABASE_PASSWORD", "")
    assert "DATABASE_PASSWORD: missing" in refusal(capsys)


def test_settings_cannot_be_changed_and_do_not_print_secrets(environment: pytest.MonkeyPatch) -> None:
    settings = load(Settings)
    with pytest.raises(ValidationError):
        settings.port = 1
    assert "swordfish" not in f"{settings!r} {settings} {settings.model_dump_json()}"

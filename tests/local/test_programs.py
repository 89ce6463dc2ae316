"""What each process is given: its own addresses and secrets, and nobody else's."""

import configparser
import stat
from pathlib import Path

import pytest

from deploy.local import secrets_store, supervisor_config
from deploy.local.place import Place, Ports
from deploy.local.programs import BY_NAME, DATABASES, GUESTS, SERVICES, STOP_SECONDS


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path / "a folder with 100% odd; name", Ports(gateway=18080, base=18100))
    place.home.mkdir()
    secrets_store.generate(place)
    return place


def _all_secrets(place: Place) -> dict[str, str]:
    return {
        str(path.relative_to(place.secrets)): path.read_text() for path in place.secrets.rglob("*") if path.is_file()
    }


def test_no_secret_is_in_an_environment_or_on_a_command_line(place: Place) -> None:
    rendered = supervisor_config.render(place)
    assert not [name for name, value in _all_secrets(place).items() if value in rendered]


def test_a_collector_of_the_callers_is_passed_on_and_nothing_else(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    for service in SERVICES:
        environment = service.environment(place)
        # What knows no chassis knows no collector.
        assert environment.get("OTLP_ENDPOINT") == ("http://127.0.0.1:4318" if service.chassis else None)
        assert "LOG_LEVEL" not in environment


def test_the_old_shop_is_told_nothing_but_where_it_listens_its_database_and_the_card_processor(place: Place) -> None:
    environment = BY_NAME["legacy"].environment(place)
    assert set(environment) == {"HOST", "PORT", "SECRETS_DIR", "DATABASE_URL", "PSP_URL"}
    assert environment["PSP_URL"] == "http://127.0.0.1:18106"


def test_the_bridge_works_in_the_database_of_the_old_shop_by_a_role_of_its_own(place: Place) -> None:
    assert GUESTS == {"bridge": "legacy"}
    assert not GUESTS.keys() & set(DATABASES)
    assert BY_NAME["bridge"].environment(place)["DATABASE_URL"] == "postgresql://bridge@127.0.0.1:18132/legacy"


def test_each_service_has_the_secrets_of_its_own_and_no_more(place: Place) -> None:
    for service in SERVICES:
        folder = Path(service.environment(place)["SECRETS_DIR"])
        assert folder == place.secrets / service.name
        assert {path.name for path in folder.iterdir()} == set(service.secret_names())


def test_no_two_services_share_a_secret_but_those_that_both_of_them_need(place: Place) -> None:
    owners: dict[str, set[str]] = {}
    for name, value in _all_secrets(place).items():
        owners.setdefault(value, set()).add(name)
    shared = [names for names in owners.values() if len(names) > 1]
    assert sorted(map(sorted, shared)) == [
        ["bridge/bridge_key", "facade/bridge_key"],
        ["bridge/hash_key", "identity/hash_key"],
        ["facade/exchange_key", "identity/exchange_key"],
        ["facade/session_key", "legacy/session_key"],
        ["legacy/psp_api_key", "payments/psp_api_key", "psp/psp_api_key"],
    ]


def test_a_service_that_comes_later_gets_the_secret_that_the_others_have(place: Place) -> None:
    (place.secrets / "legacy" / "psp_api_key").unlink()
    assert secrets_store.generate(place) == 1
    assert place.secret("legacy", "psp_api_key") == place.secret("psp", "psp_api_key")


def test_secrets_are_readable_by_their_owner_alone(place: Place) -> None:
    for path in (place.secrets, *place.secrets.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_secrets_stay_when_they_are_generated_again(place: Place) -> None:
    before = _all_secrets(place)
    assert secrets_store.generate(place) == 0
    assert _all_secrets(place) == before


def test_faults_are_switched_behind_the_gateway_with_a_token_for_each_service_of_ours(place: Place) -> None:
    secrets_store.switch_faults(place, on=True)
    tokens = {path.parent.name: path.read_text() for path in place.secrets.rglob("faults_token")}
    assert set(tokens) == {service.name for service in SERVICES} - {"gateway", "legacy"}
    assert len(set(tokens.values())) == len(tokens)
    assert secrets_store.faults_are_on(place)
    secrets_store.switch_faults(place, on=False)
    assert not secrets_store.faults_are_on(place)


def test_supervisor_reads_back_a_folder_with_an_odd_name(place: Place) -> None:
    parser = configparser.ConfigParser(inline_comment_prefixes=(";", "#"), interpolation=None)
    parser.read_string(supervisor_config.render(place))
    assert parser["supervisord"]["identifier"] == str(place.home).replace("%", "%%")


def test_each_program_is_in_one_group_and_the_gateway_stops_first(place: Place) -> None:
    members = [name for group in supervisor_config.GROUPS.values() for name in group]
    assert sorted(members) == sorted(program.name for program in supervisor_config.programs(place))
    assert list(supervisor_config.GROUPS)[-1] == "entrance"


def test_a_service_is_not_killed_before_its_own_limit_has_passed(place: Place) -> None:
    for program in supervisor_config.programs(place):
        if program.name in BY_NAME and BY_NAME[program.name].chassis:
            assert {"DRAIN_SECONDS", "GRACE_SECONDS"} <= program.environment.keys()
        limits = [float(program.environment.get(name, 0)) for name in ("DRAIN_SECONDS", "GRACE_SECONDS")]
        assert program.stop_seconds > sum(limits)
        assert program.name not in BY_NAME or program.stop_seconds == STOP_SECONDS, "which tests/compose compares"

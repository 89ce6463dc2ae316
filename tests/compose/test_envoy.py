"""The way to the old shop: who may come, what is written about it, and that answers stay what they were."""

import datetime
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from deploy.compose import certificates
from deploy.local.place import ROOT
from tests.compose.composition import services

FOLDER = ROOT / "deploy" / "services" / "legacy"
ENVOY: Mapping[str, Any] = yaml.safe_load((FOLDER / "envoy.yaml").read_text())
LISTENER, PROBES = ENVOY["static_resources"]["listeners"]
(CHAIN,) = LISTENER["filter_chains"]
(MANAGER,) = (each["typed_config"] for each in CHAIN["filters"])
TLS = CHAIN["transport_socket"]["typed_config"]
NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    server, client = tmp_path / "server", tmp_path / "client"
    server.mkdir()
    client.mkdir()
    return server, client


def test_who_shows_no_certificate_of_the_facade_is_turned_away() -> None:
    assert TLS["require_client_certificate"] is True
    context = TLS["common_tls_context"]["combined_validation_context"]
    (match,) = context["default_validation_context"]["match_typed_subject_alt_names"]
    assert match == {"san_type": "DNS", "matcher": {"exact": certificates.CLIENT}}
    assert TLS["common_tls_context"]["tls_params"] == {"tls_minimum_protocol_version": "TLSv1_3"}


def test_certificates_are_files_that_are_watched() -> None:
    asked = [
        *TLS["common_tls_context"]["tls_certificate_sds_secret_configs"],
        TLS["common_tls_context"]["combined_validation_context"]["validation_context_sds_secret_config"],
    ]
    for secret, kind in zip(asked, ("tls_certificate", "validation_context"), strict=True):
        path = Path(secret["sds_config"]["path_config_source"]["path"])
        assert path.parent == Path("/etc/envoy")
        (found,) = yaml.safe_load((FOLDER / path.name).read_text())["resources"]
        assert found["name"] == secret["name"]
        assert found[kind]["watched_directory"] == {"path": "/run/certificates"}


def test_a_probe_is_answered_without_a_certificate_and_leads_nowhere() -> None:
    assert PROBES["address"]["socket_address"] == {"address": "0.0.0.0", "port_value": 8444}  # noqa: S104
    (filter_,) = PROBES["filter_chains"][0]["filters"]
    manager = filter_["typed_config"]
    assert "virtual_hosts" not in manager["route_config"], "or somebody could pass without a certificate"
    answer, _ = manager["http_filters"]
    assert answer["typed_config"]["pass_through_mode"] is False


def test_the_way_in_leads_to_the_shop_of_the_same_pod() -> None:
    assert ENVOY["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
    assert LISTENER["address"]["socket_address"] == {"address": "0.0.0.0", "port_value": 8443}  # noqa: S104
    (cluster,) = ENVOY["static_resources"]["clusters"]
    (end,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert end["endpoint"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 8080}


def test_each_request_has_an_id_and_leaves_a_line_without_its_query() -> None:
    assert MANAGER["generate_request_id"] is True
    (log,) = MANAGER["access_log"]
    line = log["typed_config"]["log_format"]["json_format"]
    assert {"request_id", "method", "path", "status", "duration_ms"} <= line.keys()
    assert line["path"] == "%PATH(NQ:PATH)%", "what people search for is nobody's business"


def test_an_answer_passes_as_it_is_and_no_request_is_repeated() -> None:
    assert MANAGER["server_header_transformation"] == "PASS_THROUGH"
    assert MANAGER["http_filters"][0]["typed_config"]["suppress_envoy_headers"] is True
    assert not {"normalize_path", "merge_slashes", "always_set_request_id_in_response"} & MANAGER.keys()
    (host,) = MANAGER["route_config"]["virtual_hosts"]
    assert [route["route"] for route in host["routes"]] == [{"cluster": "shop", "timeout": "25s"}]


def test_both_certificates_are_good_for_their_ends_and_for_nothing_else(folders: tuple[Path, Path]) -> None:
    server, client = folders
    assert certificates.provide(server, client, NOW)
    authority = x509.load_pem_x509_certificate((server / "legacy-ca.pem").read_bytes())
    assert (client / "legacy-ca.pem").read_bytes() == (server / "legacy-ca.pem").read_bytes()
    for file, name, usage in (
        (server / "legacy-server.pem", "legacy", ExtendedKeyUsageOID.SERVER_AUTH),
        (client / "legacy-client.pem", "facade", ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        certificate.verify_directly_issued_by(authority)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [name]
        assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [usage]


def test_the_key_of_the_authority_is_kept_by_nobody(folders: tuple[Path, Path]) -> None:
    certificates.provide(*folders, NOW)
    found = {file.name for folder in folders for file in folder.iterdir()}
    assert {name for name in found if name.endswith(".key")} == {"legacy-server.key", "legacy-client.key"}
    assert all(file.stat().st_mode & 0o077 == 0 for folder in folders for file in folder.iterdir())


def test_certificates_are_kept_until_they_are_due_and_then_both_are_new(folders: tuple[Path, Path]) -> None:
    server, client = folders
    certificates.provide(server, client, NOW)
    before = [(server / "legacy-server.pem").read_bytes(), (client / "legacy-client.pem").read_bytes()]
    assert not certificates.provide(server, client, NOW + datetime.timedelta(days=300))
    assert certificates.provide(server, client, NOW + datetime.timedelta(days=310))
    after = [(server / "legacy-server.pem").read_bytes(), (client / "legacy-client.pem").read_bytes()]
    assert not set(before) & set(after)


def test_the_facade_can_load_what_it_is_given(folders: tuple[Path, Path]) -> None:
    server, client = folders
    certificates.provide(server, client)
    given = services()["facade"]["environment"]
    names = [Path(given[name]).name for name in ("LEGACY_CA", "LEGACY_CERTIFICATE", "LEGACY_KEY")]
    context = ssl.create_default_context(cafile=client / names[0])
    context.load_cert_chain(client / names[1], client / names[2])
    # A file of a setting's own name would be taken for its value.
    assert not {"legacy_ca", "legacy_certificate", "legacy_key"} & set(names)

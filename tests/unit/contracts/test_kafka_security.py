"""How Kafka's clients show who they are: what the environment may say, and that every client listens to it."""

import re
import ssl
from pathlib import Path

import pytest

from devstack.kafka_security import Authority
from zerotouch_contracts.kafka import SecurityInvalid, security_of
from zerotouch_contracts.kafka.security import TokenOfFile
from zerotouch_platform.settings import SettingsInvalid, load

ROOT = Path(__file__).parents[3]
SCRAM = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_USERNAME": "tool-sync", "KAFKA_SASL_PASSWORD": "s3cret"}


def test_nothing_said_is_plain_text() -> None:
    assert security_of({"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "KAFKA_SASL_USERNAME": ""}).options() == {}


def test_a_password_goes_with_tls_that_checks_the_name() -> None:
    options = security_of(SCRAM).options()

    context = options.pop("ssl_context")
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert options == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "tool-sync",
        "sasl_plain_password": "s3cret",
    }


def test_a_certificate_of_ones_own(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert_file, key_file = map(str, authority.certificate("tool-sync"))
    files = {"CA": str(authority.ca_file), "CERT": cert_file, "KEY": key_file}
    said = {"KAFKA_SECURITY_PROTOCOL": "SSL", **{f"KAFKA_SSL_{kind}_FILE": file for kind, file in files.items()}}

    options = security_of(said).options()

    assert options.keys() == {"security_protocol", "ssl_context"}
    assert [one["subject"] for one in options["ssl_context"].get_ca_certs()] == [
        ((("commonName", "zerotouch test authority"),),)
    ]


async def test_a_token_is_read_for_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    said = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
        "KAFKA_SASL_TOKEN_FILE": str(file),
    }

    provider = security_of(said).options()["sasl_oauth_token_provider"]

    assert isinstance(provider, TokenOfFile)
    assert await provider.token() == "first"
    file.write_text("second")
    assert await provider.token() == "second"


@pytest.mark.parametrize(
    ("changes", "variables"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, ["KAFKA_SECURITY_PROTOCOL"]),
        ({"KAFKA_SECURITY_PROTOCOL": "sasl_ssl"}, ["KAFKA_SECURITY_PROTOCOL"]),
        ({"KAFKA_SECURITY_PROTOCOL": ""}, ["KAFKA_SASL_PASSWORD", "KAFKA_SASL_USERNAME"]),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, ["KAFKA_SASL_PASSWORD", "KAFKA_SASL_USERNAME"]),
        ({"KAFKA_SASL_MECHANISM": "GSSAPI"}, ["KAFKA_SASL_MECHANISM"]),
        ({"KAFKA_SASL_PASSWORD": ""}, ["KAFKA_SASL_PASSWORD"]),
        ({"KAFKA_SASL_MECHANISM": "OAUTHBEARER"}, [f"KAFKA_SASL_{n}" for n in ("TOKEN_FILE", "USERNAME", "PASSWORD")]),
        ({"KAFKA_SSL_CA_FILE": "/nowhere/ca.pem"}, ["KAFKA_SSL_CA_FILE"]),
        ({"KAFKA_SSL_CERT_FILE": __file__}, ["KAFKA_SSL_KEY_FILE"]),
        ({"KAFKA_SSL_CHECK_HOSTNAME": "false"}, ["KAFKA_SSL_CHECK_HOSTNAME"]),
        ({"KAFKA_SASL_JAAS_CONFIG": "x"}, ["KAFKA_SASL_JAAS_CONFIG"]),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_named_and_never_shown(changes: dict[str, str], variables: list[str]) -> None:
    with pytest.raises(SecurityInvalid) as raised:
        security_of(SCRAM | changes)
    assert [variable for variable, _ in raised.value.problems] == variables
    assert "s3cret" not in str(raised.value)


def test_a_service_does_not_start_with_it_and_names_it_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from tool_sync.settings import Settings

    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "s3cret")
    with pytest.raises(SettingsInvalid) as raised:
        load(Settings)
    assert "KAFKA_SASL_PASSWORD = ********: needs SECURITY_PROTOCOL SASL_SSL" in str(raised.value)
    assert "DATABASE_URL = (missing)" in str(raised.value)
    assert "s3cret" not in repr(raised.value.problems)


def test_every_client_of_the_services_is_made_where_this_is_read() -> None:
    makers = re.compile(r"\bAIOKafka(?:Producer|Consumer|AdminClient)\(")
    places = ("contracts/src", "services/platform/src", "services/tool-sync/src", "services/assistant-api/src")
    found = {
        file.relative_to(ROOT).as_posix()
        for place in (*places, "deploy/images")
        for file in (ROOT / place).rglob("*.py")
        if makers.search(file.read_text(encoding="utf-8"))
    }
    assert found == {"contracts/src/zerotouch_contracts/kafka/clients.py"}

"""What the process says when its settings are missing or wrong."""

import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tool_sync.settings import Settings
from tool_sync.sync.blueprint import definitions_with
from zerotouch_contracts.tools import ANSWERED, DEFINITIONS
from zerotouch_platform.public_key import require_key_of_algorithm
from zerotouch_platform.settings import SettingsInvalid, load

PRIVATE = Ed25519PrivateKey.generate()
PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

GOOD = {
    "DATABASE_URL": "postgresql://tool_sync:hunter2@db.example/tool_sync",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka.example:9092",
    "VAPI_BASE_URL": "https://api.vapi.ai/",
    "VAPI_API_KEY": "vapi-secret",
    "TOOL_SERVER_URL": "https://api.example/api/vapi/tools",
    "INSTALLATION_ID": "0b7e3c1e-3a64-4b3e-9a55-5d4f0a6c9a10",
    "JWT_PUBLIC_KEY": PEM.replace("\n", "\\n"),
    "JWT_ISSUER": "https://issuer.example",
    "JWT_AUDIENCE": "zerotouch",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with good settings and nothing else."""
    for name in tuple(os.environ):
        monkeypatch.delenv(name)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def problems(environment: pytest.MonkeyPatch, **changes: str | None) -> dict[str, tuple[str | None, str]]:
    for name, value in changes.items():
        if value is None:
            environment.delenv(name)
        else:
            environment.setenv(name, value)
    with pytest.raises(SettingsInvalid) as caught:
        load(Settings)
    return {str(problem.variable): (problem.shown, problem.reason) for problem in caught.value.problems}


def test_good_settings_load_and_the_rest_has_defaults(environment: pytest.MonkeyPatch) -> None:
    settings = load(Settings)
    assert settings.vapi_base_url == "https://api.vapi.ai"
    assert settings.vapi_api_key.get_secret_value() == "vapi-secret"
    assert (settings.host, settings.port) == ("127.0.0.1", 3002)
    assert (settings.assistants_topic, settings.outcomes_topic) == ("assistants.v1", "tool-sync.outcomes.v1")


def test_every_problem_is_listed_at_once(environment: pytest.MonkeyPatch) -> None:
    found = problems(
        environment,
        VAPI_API_KEY=None,
        KAFKA_BOOTSTRAP_SERVERS=None,
        PORT="80808",
        INSTALLATION_ID="not-a-uuid",
        SETTLE_SECONDS="5",
        LEASE_SECONDS="1",
        JWT_PUBLIC_KEY="no key",
    )
    assert set(found) == {
        "VAPI_API_KEY",
        "KAFKA_BOOTSTRAP_SERVERS",
        "PORT",
        "INSTALLATION_ID",
        "SETTLE_SECONDS",
        "LEASE_RENEW_SECONDS",
        "JWT_PUBLIC_KEY",
    }
    assert found["VAPI_API_KEY"] == (None, "is required")
    assert found["PORT"][0] == "'80808'"


def test_the_booking_tools_version_is_one_that_is_answered(environment: pytest.MonkeyPatch) -> None:
    assert load(Settings).booking_definition_version == 2
    environment.setenv("BOOKING_DEFINITION_VERSION", "1")
    assert load(Settings).booking_definition_version == 1
    for version in ("0", "3", "newest"):
        assert "BOOKING_DEFINITION_VERSION" in problems(environment, BOOKING_DEFINITION_VERSION=version)


def test_every_version_that_may_be_asked_for_makes_a_blueprint() -> None:
    for version in (1, 2):
        (definition,) = definitions_with(version)
        assert (definition.version, definition.asynchronous) == (version, version == 1)
        assert definition in ANSWERED
    assert definitions_with(2) == DEFINITIONS


def test_an_empty_variable_counts_as_missing(environment: pytest.MonkeyPatch) -> None:
    assert problems(environment, JWT_ISSUER="") == {"JWT_ISSUER": (None, "is required")}


def test_no_secret_is_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "mysql://tool_sync:hunter2@db.example/tool_sync")
    environment.setenv(
        "JWT_PUBLIC_KEY", PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    )
    with pytest.raises(SettingsInvalid) as caught:
        load(Settings)
    text = str(caught.value)
    assert "DATABASE_URL" in text
    assert "JWT_PUBLIC_KEY" in text
    assert "tool_sync:***@db.example" in text
    assert "hunter2" not in text
    assert "PRIVATE" not in text


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("https://api.example/hook", True),
        ("http://localhost:3001/hook", True),
        ("http://127.0.0.1:3001/hook", True),
        ("http://api.example/hook", False),
        ("ftp://api.example/hook", False),
        ("api.example", False),
    ],
)
def test_the_tools_server_must_be_https_outside_of_this_machine(
    environment: pytest.MonkeyPatch, url: str, accepted: bool
) -> None:
    environment.setenv("TOOL_SERVER_URL", url)
    if accepted:
        assert load(Settings).tool_server_url == url
    else:
        assert set(problems(environment)) == {"TOOL_SERVER_URL"}


def test_neither_settings_nor_their_text_show_a_password(environment: pytest.MonkeyPatch) -> None:
    shown = repr(load(Settings))
    assert "hunter2" not in shown
    assert "vapi-secret" not in shown


def test_a_key_must_be_of_the_kind_that_its_algorithm_needs() -> None:
    rsa = generate_private_key(public_exponent=65537, key_size=2048).public_key()
    rsa_pem = rsa.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    require_key_of_algorithm(PEM, "EdDSA")
    require_key_of_algorithm(rsa_pem, "RS256")
    with pytest.raises(ValueError, match="not a key for RS256"):
        require_key_of_algorithm(PEM, "RS256")
    with pytest.raises(ValueError, match="not a key for EdDSA"):
        require_key_of_algorithm(rsa_pem, "EdDSA")


def test_a_short_rsa_key_is_refused() -> None:
    short = generate_private_key(public_exponent=65537, key_size=1024).public_key()  # noqa: S505 - that is the test
    pem = short.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ValueError, match="1024 bits"):
        require_key_of_algorithm(pem, "RS256")


def test_the_command_lists_the_problems_and_exits_with_2() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tool_sync", "run"], env={"PORT": "x"}, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    assert "DATABASE_URL = (missing): is required" in ended.stderr
    assert "PORT = 'x'" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    "url", ["https://api.vapi.ai", "https://API.vapi.ai/", "https://vapi.ai.", "http://api.eu.vapi.ai"]
)
def test_a_tool_at_loopback_is_never_allowed_at_the_real_vapi(environment: pytest.MonkeyPatch, url: str) -> None:
    found = problems(environment, VAPI_BASE_URL=url, TOOL_URL_LOOPBACK_ALLOWED="true")
    assert set(found) == {"TOOL_URL_LOOPBACK_ALLOWED"}
    assert "real Vapi" in found["TOOL_URL_LOOPBACK_ALLOWED"][1]


@pytest.mark.parametrize("url", ["http://localhost:3003", "https://vapi.ai.example"])
def test_a_tool_at_loopback_may_be_allowed_at_a_sandbox(environment: pytest.MonkeyPatch, url: str) -> None:
    assert not load(Settings).tool_url_loopback_allowed
    environment.setenv("VAPI_BASE_URL", url)
    environment.setenv("TOOL_URL_LOOPBACK_ALLOWED", "true")
    assert load(Settings).tool_url_loopback_allowed

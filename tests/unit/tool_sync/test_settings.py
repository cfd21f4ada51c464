"""What the process says when its settings are missing or wrong."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from assistant_api.settings import Settings as AssistantApiSettings
from tool_sync.console.oidc.rights import Rules
from tool_sync.settings import Settings
from tool_sync.sync.blueprint import definitions_with
from zerotouch_contracts.tools import ANSWERED, DEFINITIONS
from zerotouch_platform.auth import Scope
from zerotouch_platform.public_key import require_key_of_algorithm
from zerotouch_platform.settings import SettingsInvalid, load, misspelt

ROOT = Path(__file__).parents[3]
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


def test_own_organizations_are_ids_with_a_space_between(environment: pytest.MonkeyPatch) -> None:
    first, second = (f"0b7e3c1e-3a64-4b3e-9a55-5d4f0a6c9a1{n}" for n in (1, 2))
    assert load(Settings).own_orgs == ()
    environment.setenv("OWN_ORGS", f"{first}  {second}")
    assert tuple(map(str, load(Settings).own_orgs)) == (first, second)
    assert load(Settings).model_dump(mode="json")["own_orgs"] == f"{first} {second}"
    assert set(problems(environment, OWN_ORGS=f"{first},{second}")) == {"OWN_ORGS"}


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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ASSISTANT_API_URL": "http://api:3001"}, "together with ASSISTANT_API_URL"),
        ({"ASSISTANT_API_TOKEN": "a.b.c"}, "together with ASSISTANT_API_URL"),
        ({"ASSISTANT_API_URL": "http://api:3001", "ASSISTANT_API_TOKEN": "a\nb: c"}, "bearer token"),
        ({"ASSISTANT_API_URL": "http://api:3001", "ASSISTANT_API_TOKEN": "ä"}, "bearer token"),
    ],
)
def test_where_tools_are_tried_out_needs_an_address_and_a_token(
    environment: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    found = problems(environment, **changes)
    assert set(found) == {"ASSISTANT_API_TOKEN"}
    assert said in found["ASSISTANT_API_TOKEN"][1]


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
    "url", ["https://api.vapi.ai", "https://API.vapi.ai/", "https://vapi.ai.", "https://api.eu.vapi.ai"]
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


@pytest.mark.parametrize("url", ["http://vapi-sandbox:3003", "http://10.0.0.7", "http://localhost.example"])
def test_vapis_key_goes_over_no_network_in_plain_text(environment: pytest.MonkeyPatch, url: str) -> None:
    (found,) = problems(environment, VAPI_BASE_URL=url).items()
    assert found[0] == "VAPI_BASE_URL"
    assert "must be an https URL" in found[1][1]
    environment.setenv("VAPI_PLAIN_HTTP_ALLOWED", "true")
    assert load(Settings).vapi_base_url == url


@pytest.mark.parametrize("url", ["http://127.0.0.1:3003", "http://[::1]:3003", "http://localhost:3003"])
def test_a_sandbox_on_the_same_machine_is_asked_as_it_is(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("VAPI_BASE_URL", url)
    assert load(Settings).vapi_base_url == url


def test_a_signing_key_is_a_file_or_a_value_and_of_one_kind(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    private = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert load(Settings).signing_key_pem() is None
    environment.setenv("LOG_SIGNING_KEY", private.replace("\n", "\\n"))
    assert "PRIVATE KEY" in (load(Settings).signing_key_pem() or "")
    file = tmp_path / "signing.pem"
    file.write_text(private)
    environment.setenv("LOG_SIGNING_KEY_FILE", str(file))
    found = problems(environment)
    assert found["LOG_SIGNING_KEY"] == ("********", "must not be set together with LOG_SIGNING_KEY_FILE")
    environment.delenv("LOG_SIGNING_KEY")
    assert load(Settings).signing_key_pem() == private
    file.write_text(PEM)
    assert "private key" in problems(environment)["LOG_SIGNING_KEY_FILE"][1]
    assert "cannot be read" in problems(environment, LOG_SIGNING_KEY_FILE="/nowhere")["LOG_SIGNING_KEY_FILE"][1]


def test_a_misspelt_variable_is_named_where_its_setting_is_missing(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("KAFKA_BOOTSTRAP_SERVER", "kafka.example:9092")
    found = problems(environment, KAFKA_BOOTSTRAP_SERVERS=None)
    assert found["KAFKA_BOOTSTRAP_SERVERS"][1] == "is required; KAFKA_BOOTSTRAP_SERVER is no setting"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("AUTOSYNC_HOURS", "AUTO_SYNC_HOURS"),
        ("auto_sync_hour", "AUTO_SYNC_HOURS"),
        ("OUTCOME_TOPIC", "OUTCOMES_TOPIC"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("LEASE_SECOND", "LEASE_SECONDS"),
    ],
)
def test_a_variable_that_nobody_reads_is_taken_for_what_was_meant(written: str, meant: str) -> None:
    assert misspelt(Settings, {**GOOD, written: "1"}) == {written: meant}


def test_an_environment_that_both_services_share_has_nothing_misspelt() -> None:
    both = [name for kind in (Settings, AssistantApiSettings) for name in kind.model_fields]
    example = re.findall("^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    for name in (*map(str.upper, both), *both, *example, "PATH", "HOME", "HOSTNAME", "TZ", "MIGRATE_DATABASE_URL"):
        for kind in (Settings, AssistantApiSettings):
            assert misspelt(kind, {name: "1"}) == {}, f"{name} beside {kind.__module__}"


CONSOLE = {"CONSOLE_KEY": "A" * 43 + "=", "CONSOLE_URL": "https://tools.example"}
PROVIDER = {
    **CONSOLE,
    "CONSOLE_OIDC_ISSUER": "https://id.example/",
    "CONSOLE_OIDC_CLIENT_ID": "console",
    "CONSOLE_OIDC_PLATFORM": "operators, on call",
    "CONSOLE_OIDC_ORG": "owners=sync settings:write, clinic staff=sync",
}


def test_a_provider_is_called_as_it_calls_itself(environment: pytest.MonkeyPatch) -> None:
    for name, value in PROVIDER.items():
        environment.setenv(name, value)
    settings = load(Settings)
    assert settings.console_oidc_issuer == "https://id.example/"  # with its slash
    assert Rules.of(settings) == Rules(
        "groups",
        frozenset({"operators", "on call"}),
        {"owners": frozenset({Scope.SYNC, Scope.SETTINGS_WRITE}), "clinic staff": frozenset({Scope.SYNC})},
        "org_id",
    )


@pytest.mark.parametrize(
    ("changes", "variable", "said"),
    [
        ({"CONSOLE_OIDC_ISSUER": "http://id.example"}, "CONSOLE_OIDC_ISSUER", "https"),
        ({"CONSOLE_OIDC_ISSUER": "https://id.example?a=b"}, "CONSOLE_OIDC_ISSUER", "without a query"),
        ({"CONSOLE_OIDC_ISSUER": "http://127.0.0.1:3004"}, "CONSOLE_OIDC_ISSUER", "with the real Vapi"),
        ({"CONSOLE_OIDC_ISSUER": "http://localhost:3004"}, "CONSOLE_OIDC_ISSUER", "with the real Vapi"),
        ({"CONSOLE_OIDC_ISSUER": "https://[::1]:3004"}, "CONSOLE_OIDC_ISSUER", "with the real Vapi"),
        ({"CONSOLE_KEY": ""}, "CONSOLE_OIDC_ISSUER", "CONSOLE_KEY"),
        ({"CONSOLE_URL": "", "HOST": "0.0.0.0"}, "CONSOLE_OIDC_ISSUER", "CONSOLE_URL"),  # noqa: S104 - a setting
        ({"CONSOLE_OIDC_CLIENT_ID": ""}, "CONSOLE_OIDC_CLIENT_ID", "together with CONSOLE_OIDC_ISSUER"),
        ({"CONSOLE_OIDC_ISSUER": ""}, "CONSOLE_OIDC_CLIENT_ID", "together with CONSOLE_OIDC_ISSUER"),
        ({"CONSOLE_OIDC_SCOPES": "profile"}, "CONSOLE_OIDC_SCOPES", "openid"),
        ({"CONSOLE_OIDC_ALGORITHM": "HS256"}, "CONSOLE_OIDC_ALGORITHM", "RS256"),
        ({"CONSOLE_OIDC_ALGORITHM": "none"}, "CONSOLE_OIDC_ALGORITHM", "RS256"),
        ({"CONSOLE_OIDC_PLATFORM": "", "CONSOLE_OIDC_ORG": ""}, "CONSOLE_OIDC_ORG", "nobody gets in"),
        ({"CONSOLE_OIDC_ORG": "owners"}, "CONSOLE_OIDC_ORG", "value=scope scope"),
        ({"CONSOLE_OIDC_ORG": "owners="}, "CONSOLE_OIDC_ORG", "value=scope scope"),
        ({"CONSOLE_OIDC_ORG": "owners=sync,"}, "CONSOLE_OIDC_ORG", "value=scope scope"),
        ({"CONSOLE_OIDC_ORG": "owners=platform"}, "CONSOLE_OIDC_ORG", "has platform, and scopes are"),
    ],
)
def test_a_provider_that_would_let_in_nobody_or_anybody_is_refused(
    environment: pytest.MonkeyPatch, changes: dict[str, str], variable: str, said: str
) -> None:
    found = problems(environment, **{**PROVIDER, **changes})
    assert set(found) == {variable}
    assert said in found[variable][1]


CONSOLE = {"CONSOLE_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "CONSOLE_URL": "https://tools.example"}


def test_who_may_show_a_clinic_s_status_in_a_frame(environment: pytest.MonkeyPatch) -> None:
    assert load(Settings).console_frame_ancestors == ()
    for name, value in CONSOLE.items():
        environment.setenv(name, value)
    environment.setenv(
        "CONSOLE_FRAME_ANCESTORS", "https://Praxis.example  https://app.example:8443 https://praxis.example"
    )
    assert load(Settings).console_frame_ancestors == ("https://praxis.example", "https://app.example:8443")
    environment.setenv("CONSOLE_FRAME_ANCESTORS", "http://127.0.0.1:3000 http://[::1]:3000")
    assert load(Settings).console_frame_ancestors == ("http://127.0.0.1:3000", "http://[::1]:3000")


@pytest.mark.parametrize(
    "origins",
    [
        "*", "https:", "https://*", "https://*.praxis.example", "'self'", "praxis.example", "http://praxis.example",
        "https://praxis.example/", "https://praxis.example/path", "https://praxis.example?a", "https://praxis.example#a",
        "https://a:b@praxis.example", "https://praxis.example;script-src *", "https://praxis.example,https://b.example",
        "https://praxis.example:port", "https://praxis.example:99999", "https://präxis.example", "https://", "data:",
        "ftp://localhost", "https://praxis.example.", "https://[x", " ".join(f"https://{n}.example" for n in range(51)),
    ],
)  # fmt: skip
def test_what_is_no_origin_frames_nothing(environment: pytest.MonkeyPatch, origins: str) -> None:
    assert set(problems(environment, **CONSOLE, CONSOLE_FRAME_ANCESTORS=origins)) == {"CONSOLE_FRAME_ANCESTORS"}


@pytest.mark.parametrize("lacks", [{"CONSOLE_KEY": ""}, {"CONSOLE_URL": "", "HOST": "192.0.2.1"}])
def test_frames_are_of_a_console_that_browsers_find(environment: pytest.MonkeyPatch, lacks: dict[str, str]) -> None:
    found = problems(environment, **{**CONSOLE, "CONSOLE_FRAME_ANCESTORS": "https://praxis.example", **lacks})
    assert set(found) == {"CONSOLE_FRAME_ANCESTORS"}

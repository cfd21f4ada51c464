"""Settings: what is wrong is said at once, and nothing secret with it."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from assistant_api.settings import Settings, line_of
from zerotouch_platform.settings import SettingsInvalid, load

KEY = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
GOOD = {
    "DATABASE_URL": "postgresql://u:secret-1@h:5432/d",
    "KAFKA_BOOTSTRAP_SERVERS": "h:9092",
    "INSTALLATION_ID": "5a4db0c5-0000-4000-8000-000000000001",
    "VAPI_BASE_URL": "https://vapi.test/",
    "VAPI_API_KEY": "secret-2",
    "JWT_PUBLIC_KEY": KEY,
    "JWT_ISSUER": "i",
    "JWT_AUDIENCE": "a",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with good settings."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def _problems() -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        load(Settings)
    return [line_of(problem) for problem in caught.value.problems]


def test_good_settings_are_taken(environment: pytest.MonkeyPatch) -> None:
    settings = Settings()
    assert settings.vapi_base_url == "https://vapi.test"
    assert (settings.port, settings.host, settings.vapi_account) == (3001, "127.0.0.1", "platform")
    assert "secret-" not in repr(settings)


def test_every_missing_setting_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        monkeypatch.delenv(name, raising=False)
    assert sorted(_problems()) == sorted(f"{name}: is missing" for name in GOOD)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("DATABASE_URL", "secret-3", "********"),
        ("INSTALLATION_ID", "seven", "'seven'"),
        ("VAPI_BASE_URL", "vapi.test", "'vapi.test'"),
        ("PORT", "0", "'0'"),
        ("VAPI_ACCOUNT", "a b", "'a b'"),
    ],
)
def test_a_wrong_value_is_named_and_shown_unless_it_is_secret(
    environment: pytest.MonkeyPatch, name: str, value: str, shown: str
) -> None:
    environment.setenv(name, value)
    [problem] = _problems()
    assert problem.startswith(f"{name}: ")
    assert shown in problem
    assert "secret" not in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JWT_PUBLIC_KEY", "no key"),
        ("JWT_ALGORITHM", "RS256"),
        ("SETTLE_SECONDS", "5"),
        ("LEASE_SECONDS", "5"),
        ("PROVISION_RESERVED_FOR_SAVES", "200"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    [problem] = _problems()
    assert name in problem


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("sha512", "Invalid JSON"),
        ('{"algorithm": "md5"}', "algorithm: Input should be 'sha256', 'sha512' or 'sha1'"),
        ('{"payloadFormat": "{timestamp}"}', "payloadFormat must have {body}"),
        ('{"payloadFormat": "{url}.{body}"}', "url is missing"),
        ('{"payloadFormat": "{timestamp}.{body}", "includeTimestamp": false}', "includeTimestamp is false"),
        ('{"signatureHeader": "x signature"}', "signatureHeader: String should match pattern"),
        ('{"secretKey": "secret-key-of-ours"}', "secretKey: Extra inputs are not permitted"),
    ],
)
def test_a_form_of_signatures_that_cannot_be_is_said_at_once(
    environment: pytest.MonkeyPatch, given: str, problem: str
) -> None:
    environment.setenv("VAPI_WEBHOOK_HMAC", given)

    (line,) = _problems()

    assert line.startswith("VAPI_WEBHOOK_HMAC: ")
    assert problem in line
    assert "secret-key-of-ours" not in line


def test_a_key_that_is_not_in_base64_is_said_at_once_without_it(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VAPI_WEBHOOK_HMAC", '{"secretIsBase64": true}')
    environment.setenv("VAPI_WEBHOOK_HMAC_KEYS", "not!base64!at!all!")

    assert _problems() == ["VAPI_WEBHOOK_HMAC_KEYS must be in base64, as secretIsBase64 says"]


def test_vapis_key_goes_over_no_network_in_plain_text(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VAPI_BASE_URL", "http://vapi-sandbox:3003")
    (problem,) = _problems()
    assert problem.startswith("VAPI_BASE_URL: must be an https URL")
    environment.setenv("VAPI_PLAIN_HTTP_ALLOWED", "true")
    assert load(Settings).vapi_base_url == "http://vapi-sandbox:3003"

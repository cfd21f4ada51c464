"""What the process shows, and to whom: HTTP and its tokens, the console, notices, logs and traces."""

from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from tool_sync.settings.kinds import LOOPBACK, Key, OidcIssuer, OrgRoles, Origins, decoded, is_real_vapi
from zerotouch_platform.public_key import Algorithm
from zerotouch_platform.settings import HttpUrl, JwtPublicKey, LogLevel, NonEmpty, SecureUrl, is_loopback
from zerotouch_platform.worker_count import WORKERS_MAX

PROVIDER_REFUSED = "must not be on this machine with the real Vapi: devstack's provider lets in whoever comes"


class FrontSettings(BaseSettings):
    """The server's beside the limits of both services, and what operators, clinics and whoever signs in see."""

    host: NonEmpty = "127.0.0.1"
    """The address that is listened at."""
    port: int = Field(default=3002, ge=0, le=65535)
    """The port of HTTP; health is there, too."""
    workers: int = Field(default=1, ge=1, le=WORKERS_MAX)
    """Processes that serve the port; one has no supervisor."""
    http_connections_max: PositiveInt = 1000
    """Of each process. Above the first, connections that wait are closed, those of whoever has most first; a request
    above the second is answered 503."""
    http_requests_max: PositiveInt = 800
    """Of each process at a time: what is more is answered 503."""
    limit_platform_requests_in_flight: PositiveInt = 600
    """Of one holder of platform tokens at a time; clinics keep the rest of HTTP_REQUESTS_MAX. The other limits, with
    their reasons, are those of both services (zerotouch_platform/limits/settings.py)."""
    jwt_algorithm: Algorithm = "EdDSA"
    """How tokens are signed: EdDSA or RS256."""
    jwt_jwks_file: Path | None = None
    """One of the three says with which keys tokens are verified (zerotouch_platform/token_keys.py)."""
    jwt_jwks_url: SecureUrl | None = None
    """A set of keys at an https address."""
    jwt_public_key: JwtPublicKey = Field(default=None, repr=False)
    """One key, PEM; line ends may be written as `\\n`."""
    jwt_jwks_seconds: PositiveFloat = 60
    """Between two readings of a set of keys."""
    jwt_lifetime_seconds_max: PositiveFloat = 90 * 86400
    """A token that is good for longer is refused: what somebody finds on a lost laptop ends by itself."""
    jwt_issuer: NonEmpty
    """What a token's `iss` must be."""
    jwt_audience: NonEmpty
    """What a token's `aud` must have."""

    console_key: Key | None = None
    """What seals the console's cookies: 32 bytes in base64, the same for every replica. Without one there is no
    console."""
    console_url: HttpUrl | None = None
    """Where browsers find it, such as `https://tools.example.com`: with https the cookie is only sent over https."""
    console_session_seconds: PositiveFloat = 8 * 3600
    """So long a sign-in at the provider below is good for, or until its ID token ends, whichever comes first."""
    console_oidc_issuer: OidcIssuer | None = None
    """Whoever says who people are, by OpenID Connect, as it calls itself: `https://id.example.com`. Without one people
    sign in with tokens and links. It sends browsers back to CONSOLE_URL + `/console/login/back`."""
    console_oidc_name: NonEmpty = "your account"
    """What the button says: Sign in with …"""
    console_oidc_client_id: NonEmpty | None = Field(default=None, validate_default=True)
    """What the provider calls the console."""
    console_oidc_client_secret: SecretStr | None = None
    """Without one the console is a public client, and PKCE alone says that a code is its own."""
    console_oidc_algorithm: Algorithm = "RS256"
    """How the provider signs ID tokens: RS256, which every one can, or EdDSA."""
    console_oidc_scopes: NonEmpty = "openid profile"
    """What it is asked for, with spaces between. `openid` must be there."""
    console_oidc_roles_claim: NonEmpty = "groups"
    """The claim of the ID token that says what a person may do: a text or a list, also within others
    (`realm_access.roles`). Of `email` only one that is verified counts."""
    console_oidc_platform: NonEmpty | None = None
    """Who has one of these values there runs the platform; with commas between."""
    console_oidc_org: OrgRoles | None = Field(default=None, validate_default=True)
    """Who has one of these values there is of a clinic, and may do what the scopes say:
    `owners=sync settings:write, staff=sync`."""
    console_oidc_org_claim: NonEmpty = "org_id"
    """The claim that has the clinic's id, a UUID."""

    console_frame_ancestors: Origins = ()
    """Sites that may show in a frame whether a clinic's assistants can book, such as `https://praxis.example`, with
    spaces between (ADR 86). Without one nothing can be embedded; every other page never can."""

    console_in_run: bool = True
    """Whether `tool-sync run` serves it, too; not where `tool-sync console` does, as a process of its own."""
    console_port: int = Field(default=3004, ge=0, le=65535)
    """The port of `tool-sync console`; its health is there, too."""

    notices_key: Key | None = None
    """What seals the secrets of clinics' webhooks: 32 bytes in base64, the same for every replica. Without one no
    clinic is sent notices. Another one makes every clinic ask for a new secret."""

    log_file: Path | None = None
    """Where log lines go beside standard output."""
    log_level: LogLevel = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    otel_exporter_otlp_endpoint: HttpUrl | None = None
    """The collector of traces and metrics, `http://host:4318`; without it none are sent."""
    jaeger_ui_url: HttpUrl | None = None
    """Where people look at traces: then links to them are printed."""

    def console_key_bytes(self) -> bytes | None:
        """The key of the console's cookies, if there is one."""
        return None if self.console_key is None else decoded(self.console_key)

    def notices_key_bytes(self) -> bytes | None:
        """The key of the secrets of notices, if there is one."""
        return None if self.notices_key is None else decoded(self.notices_key)

    @field_validator("console_oidc_issuer")
    @classmethod
    def _provider_of_a_console(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return value
        if is_loopback(value) and is_real_vapi(info.data.get("vapi_base_url", "")):
            raise ValueError(PROVIDER_REFUSED)
        if info.data.get("console_key") is None:
            raise ValueError("is for a console, and there is none without CONSOLE_KEY")
        if info.data.get("console_url") is None and info.data.get("host") not in LOOPBACK:
            raise ValueError("needs CONSOLE_URL: the provider has to know where browsers come back to")
        return value

    @field_validator("console_frame_ancestors")
    @classmethod
    def _frames_of_a_console(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if value and info.data.get("console_key") is None:
            raise ValueError("is for a console, and there is none without CONSOLE_KEY")
        if value and info.data.get("console_url") is None and info.data.get("host") not in LOOPBACK:
            raise ValueError("needs CONSOLE_URL: the address that is embedded is below it")
        return value

    @field_validator("console_oidc_client_id")
    @classmethod
    def _issuer_and_client(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "console_oidc_issuer" in info.data and (value is None) != (info.data["console_oidc_issuer"] is None):
            raise ValueError("must be set together with CONSOLE_OIDC_ISSUER, or neither of them")
        return value

    @field_validator("console_oidc_scopes")
    @classmethod
    def _asks_who_it_is(cls, value: str) -> str:
        if "openid" not in value.split():
            raise ValueError("must have openid: without it nobody says who a person is")
        return value

    @field_validator("console_oidc_org")
    @classmethod
    def _somebody_may_something(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("console_oidc_issuer") and info.data.get("console_oidc_platform") is None:
            raise ValueError("or CONSOLE_OIDC_PLATFORM must be set with CONSOLE_OIDC_ISSUER: else nobody gets in")
        return value

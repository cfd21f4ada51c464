"""What the service is told by its environment. Names without prefix; units last."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, PostgresDsn, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode

from assistant_api.limits import BODY_BYTES_MAX, WEBHOOK_BYTES_MAX
from assistant_api.webhook_signature import Header, HmacFormat
from zerotouch_contracts.text import Identifier
from zerotouch_contracts.topics import ASSISTANTS, CONTRACTS, OUTCOMES, TOOL_CALLS
from zerotouch_platform.public_key import Algorithm, require_key_of_algorithm
from zerotouch_platform.settings import CONFIG, WORKERS_MAX, HttpUrl, LogLevel, NonEmpty, SettingProblem


def _postgres_url(value: SecretStr) -> SecretStr:
    try:
        PostgresDsn(value.get_secret_value())
    except ValidationError:
        raise ValueError("must be a URL like postgresql://user:password@host:5432/database") from None
    return value


WEBHOOK_KEY_CHARACTERS_MIN = 16


def _webhook_keys(value: SecretStr) -> SecretStr:
    keys = [key.strip() for key in value.get_secret_value().split(",")]
    if any(len(key) < WEBHOOK_KEY_CHARACTERS_MIN or not (key.isascii() and key.isprintable()) for key in keys):
        raise ValueError(f"must be keys of at least {WEBHOOK_KEY_CHARACTERS_MIN} ASCII characters, separated by commas")
    return value


def _hmac_format(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return HmacFormat.model_validate_json(value)
    except ValidationError as error:
        item = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, item["loc"]))
        raise ValueError(f"{place}: {item['msg']}".removeprefix(": ").removeprefix("Value error, ")) from None


PostgresUrl = Annotated[SecretStr, AfterValidator(_postgres_url)]
WebhookKeys = Annotated[SecretStr, AfterValidator(_webhook_keys)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class MigrateSettings(BaseSettings):
    """What `assistant-api migrate` needs: the address of the database for the role that owns it."""

    model_config = CONFIG

    migrate_database_url: PostgresUrl


class EraseSettings(BaseSettings):
    """What `assistant-api erase-phone` needs: the database, and where the audit line goes besides standard output."""

    model_config = CONFIG

    database_url: PostgresUrl
    log_file: Path | None = None


class RestoreSettings(BaseSettings):
    """What `assistant-api restore` needs: the database's owner, and Vapi."""

    model_config = CONFIG

    migrate_database_url: PostgresUrl
    installation_id: UUID
    vapi_base_url: HttpUrl
    vapi_api_key: Annotated[SecretStr, Field(min_length=1)]
    vapi_account: Identifier = "platform"
    settle_seconds: Seconds = 20


class Settings(BaseSettings):
    """What `assistant-api run` needs."""

    model_config = CONFIG

    database_url: PostgresUrl
    kafka_bootstrap_servers: NonEmpty
    installation_id: UUID
    vapi_base_url: HttpUrl
    vapi_api_key: Annotated[SecretStr, Field(min_length=1)]
    vapi_account: Identifier = "platform"
    jwt_public_key: str
    jwt_algorithm: Algorithm = "EdDSA"
    jwt_issuer: NonEmpty
    jwt_audience: NonEmpty
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 3001
    workers: Annotated[int, Field(ge=1, le=WORKERS_MAX)] = 1
    """Processes that serve the port; one has no supervisor."""
    log_file: Path | None = None
    log_level: LogLevel = "INFO"
    otel_exporter_otlp_endpoint: HttpUrl | None = None
    jaeger_ui_url: HttpUrl | None = None

    database_connections_max: Count = 10
    database_command_timeout_seconds: Seconds = 10
    default_model_provider: str = "openai"
    default_model: str = "gpt-4o"

    answer_wait_seconds: Seconds = 5
    """How long a client waits for Vapi; the call itself goes on."""
    body_bytes_max: Count = BODY_BYTES_MAX
    idempotency_lock_seconds: Seconds = 30
    idempotency_keep_hours: Count = 24
    saves_keep_days: Count = 30

    vapi_webhook_tokens: WebhookKeys | None = None
    """Bearer tokens that Vapi sends with tool calls, separated by commas; two while they are changed."""
    vapi_webhook_secrets: WebhookKeys | None = None
    """Secrets that Vapi sends as they are in a header of their own, likewise; so did its older set-ups."""
    vapi_webhook_secret_header: Header = "x-vapi-secret"  # noqa: S105 - its name
    vapi_webhook_hmac_keys: WebhookKeys | None = None
    """Keys that Vapi signs tool calls with, likewise. With none of the three, tool calls are answered 401."""
    vapi_webhook_hmac: Annotated[HmacFormat, NoDecode, BeforeValidator(_hmac_format)] = HmacFormat()
    """How it signs them: JSON with the fields of Vapi's HMAC credential, where they differ from Vapi's defaults."""
    webhook_bytes_max: Count = WEBHOOK_BYTES_MAX
    booking_days_ahead_max: Annotated[int, Field(ge=1, le=3660)] = 365
    appointment_retention_days: Count = 365
    """Days after an appointment until it is forgotten."""
    tool_calls_keep_days: Count = 30

    look_seconds: Seconds = 0.25
    """Between looks for what another process put in: agents, removals and messages of the outbox, in one statement."""
    poll_seconds_max: Seconds = 5
    """Until a loop looks by itself that nobody woke."""
    provision_concurrency_max: Count = 200
    provision_reserved_for_saves: Annotated[int, Field(ge=0)] = 50
    rewrite_delay_seconds: Seconds = 60
    """After a clinic's calendar changed, or a tool went, until prompts are written anew: changes come in series."""
    rewrite_poll_seconds: Seconds = 5
    rewrites_open_max: Count = 50
    """Bulk work under way while more of it is asked for, by all replicas together."""
    lease_seconds: Seconds = 30
    send_window_seconds: Seconds = 1
    vapi_deadline_seconds: Seconds = 10
    """From asking to the last byte of the answer; the tries of a read share one."""
    read_tries_max: Count = 3
    read_retry_seconds: Seconds = 0.2
    settle_seconds: Seconds = 20
    lost_create_window_minutes: Count = 10
    tool_grace_seconds: Seconds = 86400
    """tool-sync's: how long a tool that nobody wants is kept. For a quarter of it a new assistant gets known tools."""
    surplus_age_seconds: Seconds = 3600
    """When what a creation without an answer made after all is looked for, and deleted where it is not the agent's."""
    vapi_requests_per_minute: Count | None = None
    """What Vapi allows the whole credential; without it Vapi's own 429 is the limit."""
    vapi_rate_share: Annotated[float, Field(gt=0, le=1)] = 0.4
    """This service's part of it; tool-sync has the rest."""
    vapi_rate_saves_share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """What bulk work leaves of it to saves."""
    vapi_rate_batch: Count = 20
    vapi_rate_guard_seconds: Annotated[float, Field(gt=0, lt=10)] = 0.5
    """How far Vapi's clock may be from the database's."""
    key_refused_seconds: Seconds = 60
    """A refused key needs a person; once a minute is soon enough to notice that somebody came."""
    breaker_failures: Count = 20
    """So many calls in a row without an answer: then Vapi is away, and not one assistant at fault."""
    breaker_seconds_base: Seconds = 1
    breaker_seconds_max: Seconds = 60
    removal_concurrency_max: Count = 10
    removal_lease_seconds: Seconds = 60
    retry_seconds_min: Seconds = 1
    retry_seconds_max: Seconds = 300
    heals_per_hour_max: Count = 3

    relay_page_rows: Count = 500
    relay_send_timeout_seconds: Seconds = 10
    relay_candidate_seconds: Seconds = 0.5
    consumer_group: str = "assistant-api"
    assistants_topic: str = ASSISTANTS.name
    outcomes_topic: str = OUTCOMES.name
    tool_calls_topic: str = TOOL_CALLS.name
    contracts_topic: str = CONTRACTS.name
    outcomes_batch_records: Count = 500
    reconnect_seconds_max: Seconds = 5
    stop_seconds: Seconds = 2

    @property
    def topics(self) -> tuple[str, ...]:
        """All that must be there before anything is sent or read."""
        return (self.assistants_topic, self.outcomes_topic, self.tool_calls_topic)

    @model_validator(mode="after")
    def _timings_fit(self) -> "Settings":
        if self.settle_seconds <= self.vapi_deadline_seconds + self.send_window_seconds:
            raise ValueError("SETTLE_SECONDS must be above VAPI_DEADLINE_SECONDS + SEND_WINDOW_SECONDS")
        if self.surplus_age_seconds <= self.settle_seconds:
            raise ValueError("SURPLUS_AGE_SECONDS must be above SETTLE_SECONDS")
        if self.lease_seconds <= 2 * self.vapi_deadline_seconds + self.send_window_seconds:
            raise ValueError("LEASE_SECONDS must be above 2 * VAPI_DEADLINE_SECONDS + SEND_WINDOW_SECONDS")
        if self.provision_reserved_for_saves >= self.provision_concurrency_max:
            raise ValueError("PROVISION_RESERVED_FOR_SAVES must be below PROVISION_CONCURRENCY_MAX")
        return self

    @model_validator(mode="after")
    def _hmac_keys_fit_their_format(self) -> "Settings":
        if self.vapi_webhook_hmac_keys is not None:
            for key in self.vapi_webhook_hmac_keys.get_secret_value().split(","):
                try:
                    self.vapi_webhook_hmac.secret(key.strip().encode())
                except ValueError as error:
                    raise ValueError(f"VAPI_WEBHOOK_HMAC_KEYS {error}") from None
        return self

    @model_validator(mode="after")
    def _key_fits_algorithm(self) -> "Settings":
        try:
            require_key_of_algorithm(self.jwt_public_key, self.jwt_algorithm)
        except ValueError as error:
            raise ValueError(f"JWT_PUBLIC_KEY with JWT_ALGORITHM={self.jwt_algorithm}: {error}") from None
        return self


def line_of(problem: SettingProblem) -> str:
    """One wrong or missing variable: its name, what is wrong and its value as it may be shown."""
    if problem.variable is None:
        return problem.reason
    if problem.shown is None:
        return f"{problem.variable}: is missing"
    return f"{problem.variable}: {problem.reason} (is {problem.shown})"

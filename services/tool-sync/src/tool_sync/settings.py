"""Every setting of the process, read from the environment once; no module reads the environment by itself.

Tests construct :class:`Settings` by keyword; the composition root loads them, which reports every problem at once.
``MIGRATE_DATABASE_URL`` is no field: only ``tool-sync migrate`` needs it, and that needs nothing else.
"""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import (
    AfterValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings

from zerotouch_contracts.topics import ASSISTANTS, CONTRACTS, OUTCOMES
from zerotouch_platform.public_key import Algorithm, require_key_of_algorithm
from zerotouch_platform.settings import CONFIG, WORKERS_MAX, HttpUrl, LogLevel, NonEmpty, http_url

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_REAL_VAPI = "vapi.ai"


def _https_url(value: str) -> str:
    value = http_url(value)
    parts = urlsplit(value)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise ValueError("must be an https URL: Vapi sends patients' data there (http only for loopback)")
    return value


def _postgres_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise ValueError("must be a postgresql:// URL that names a database")
    return value


def is_real_vapi(url: str) -> bool:
    """Whether the URL is Vapi's own, and no sandbox's."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host == _REAL_VAPI or host.endswith(f".{_REAL_VAPI}")


LOOPBACK_REFUSED = "must be false with the real Vapi: loopback is another machine there, and nobody's tool answers"

HttpsUrl = Annotated[str, AfterValidator(_https_url)]
PostgresUrl = Annotated[str, AfterValidator(_postgres_url)]


class Settings(BaseSettings):
    """The settings; immutable. What has no default must be given."""

    model_config = CONFIG

    # What is around it.
    database_url: PostgresUrl = Field(repr=False)
    kafka_bootstrap_servers: NonEmpty
    vapi_base_url: HttpUrl
    vapi_api_key: SecretStr = Field(min_length=1)
    vapi_account: NonEmpty = "platform"
    tool_server_url: Annotated[HttpsUrl, Field(max_length=255)]
    tool_server_credential_id: str | None = None
    # A tool of another service may be at loopback: a development machine's own, which no published tool may name.
    tool_url_loopback_allowed: bool = False
    installation_id: UUID
    # What a new log begins with. 2: the model waits for the answer. 1, as first specified: it does not, and never hears
    # it (ADR 4).
    booking_definition_version: int = Field(default=2, ge=1, le=2)
    assistants_topic: NonEmpty = ASSISTANTS.name
    outcomes_topic: NonEmpty = OUTCOMES.name
    contracts_topic: NonEmpty = CONTRACTS.name
    consumer_group: NonEmpty = "tool-sync"

    # HTTP.
    host: NonEmpty = "127.0.0.1"
    port: int = Field(default=3002, ge=0, le=65535)
    # Processes that serve the port; one has no supervisor.
    workers: int = Field(default=1, ge=1, le=WORKERS_MAX)
    jwt_algorithm: Algorithm = "EdDSA"
    jwt_public_key: NonEmpty = Field(repr=False)
    jwt_issuer: NonEmpty
    jwt_audience: NonEmpty

    # What it says about itself.
    log_file: Path | None = None
    log_level: LogLevel = "INFO"
    otel_exporter_otlp_endpoint: HttpUrl | None = None
    jaeger_ui_url: HttpUrl | None = None

    # Intake.
    intake_records_max: PositiveInt = 500
    intake_session_seconds: PositiveFloat = 10
    intake_heartbeat_seconds: PositiveFloat = 2
    intake_retry_seconds_base: PositiveFloat = 0.2
    intake_retry_seconds_max: PositiveFloat = 5
    intake_watch_seconds: PositiveFloat = 10
    intake_stuck_seconds_max: PositiveFloat = 60

    # Relay.
    relay_page_events_max: PositiveInt = 500
    relay_scan_events_max: PositiveInt = 5000
    relay_poll_seconds_max: PositiveFloat = 0.9
    """Without having been told: this process's appends wake it, and those of others by NOTIFY. It touches the session,
    too, and more often than it must be touched.
    """
    relay_candidate_seconds: PositiveFloat = 0.5
    relay_touch_seconds: PositiveFloat = 1
    relay_idle_session_seconds: PositiveFloat = 5
    relay_send_seconds_max: PositiveFloat = 10

    # Reconciler.
    send_window_seconds: PositiveFloat = 1
    call_deadline_seconds: PositiveFloat = 10
    settle_seconds: PositiveFloat = 20
    retry_seconds_base: PositiveFloat = 1
    retry_seconds_max: PositiveFloat = 300
    give_up_seconds: PositiveFloat = 3600
    look_again_seconds: PositiveFloat = 900
    diverged_look_seconds: PositiveFloat = 5
    diverged_give_up_seconds: PositiveFloat = 600
    # Deleting tools: a tier that was lowered by mistake is raised again within a day, and then the tool keeps its id.
    tool_grace_seconds: PositiveFloat = 86400
    # A write that was given up may still land while its sender's machine sleeps; and the lists at Vapi lag.
    surplus_age_seconds: PositiveFloat = 3600
    # A sweep lists every assistant of the account.
    sweep_every_seconds: PositiveFloat = 3600
    # With the poll before a claim, 5 s at most until the work of a dead process goes on.
    lease_seconds: PositiveFloat = 4
    lease_renew_seconds: PositiveFloat = 1.2
    # A ceiling: how many it is follows from what the process can serve in time (reconciler/pace.py).
    orgs_in_flight_max: PositiveInt = 1000
    claim_batch_max: PositiveInt = 200
    steps_per_org_max: PositiveInt = 16
    poll_seconds_max: PositiveFloat = 0.5
    snapshot_after_events: PositiveInt = 20
    vapi_connections_max: PositiveInt = 1000

    # What Vapi allows its key. The rate is that of the whole credential, divided between the two services by shares;
    # without it Vapi's own 429 is the limit.
    vapi_requests_per_minute: PositiveInt | None = None
    vapi_rate_share: float = Field(default=0.6, gt=0, le=1)
    # What saves are expected to need of it. Bulk work is paced within the minute and leaves them what is still to come,
    # and twice this share of the seconds at its turn.
    vapi_rate_saves_share: float = Field(default=0.2, ge=0, lt=1)
    # Requests drawn at once by a replica: fewer statements, and fewer for the others.
    vapi_rate_batch: PositiveInt = 20
    # How far Vapi's clock may be from the database's.
    vapi_rate_guard_seconds: PositiveFloat = 0.5
    # A refused key needs a person; once a minute is soon enough to notice that somebody came.
    key_refused_seconds: PositiveFloat = 60
    # So many calls in a row, of all orgs, without an answer: then Vapi is away, and not one org's tool at fault.
    breaker_failures: PositiveInt = 20
    breaker_seconds_base: PositiveFloat = 1
    breaker_seconds_max: PositiveFloat = 60
    # How old this process's knowledge of a pause may be; a statement each while it works.
    key_read_seconds: PositiveFloat = 1
    read_tries_max: PositiveInt = 3
    read_retry_seconds: PositiveFloat = 0.2

    # Every assistant and every tool of ours is looked at again at Vapi within so many hours (ADR 41).
    auto_sync_hours: PositiveFloat = 24
    # The pace of what is looked at off the path of saves. A ceiling that leaves Vapi's key and the CPU to saves: 5 a
    # second are 400,000 a day.
    survey_looks_per_second: PositiveFloat = 5
    survey_poll_seconds: PositiveFloat = 30
    survey_settled_seconds: PositiveFloat = 10

    # PostgreSQL, starting, and readiness.
    # How often the log's head is looked at: one that has gone back was restored beneath the process.
    log_check_seconds: PositiveFloat = 5
    database_pool_max: PositiveInt = 10
    start_retry_seconds: PositiveFloat = 1
    ready_check_seconds_max: PositiveFloat = 2

    # Rules about two fields stand at the later one, so that they are reported together with everything else.
    @field_validator("tool_url_loopback_allowed")
    @classmethod
    def _no_loopback_at_the_real_vapi(cls, value: bool, info: ValidationInfo) -> bool:
        if value and is_real_vapi(info.data.get("vapi_base_url", "")):
            raise ValueError(LOOPBACK_REFUSED)
        return value

    @field_validator("jwt_public_key")
    @classmethod
    def _key_of_algorithm(cls, value: str, info: ValidationInfo) -> str:
        if algorithm := info.data.get("jwt_algorithm"):
            require_key_of_algorithm(value, algorithm)
        return value

    @field_validator("settle_seconds")
    @classmethod
    def _settles_after_every_call(cls, value: float, info: ValidationInfo) -> float:
        longest = info.data.get("send_window_seconds", 0) + info.data.get("call_deadline_seconds", 0)
        if value <= longest:
            raise ValueError(f"must be above SEND_WINDOW_SECONDS + CALL_DEADLINE_SECONDS, {longest:g}")
        return value

    @field_validator("lease_renew_seconds")
    @classmethod
    def _renews_in_time(cls, value: float, info: ValidationInfo) -> float:
        lease = info.data.get("lease_seconds", value * 2)
        if value * 2 > lease:
            raise ValueError(f"must be at most half of LEASE_SECONDS, {lease:g}, or one slow moment loses the lease")
        return value

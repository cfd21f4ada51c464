"""Who may ask, how much is answered at a time, and what is kept of it."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from assistant_api.limits import BODY_BYTES_MAX
from assistant_api.settings.types import Count, Part, Seconds
from zerotouch_contracts.text import Identifier
from zerotouch_platform.public_key import Algorithm
from zerotouch_platform.settings import HttpUrl, JwtPublicKey, LogLevel, NonEmpty, SecureUrl
from zerotouch_platform.worker_count import WORKERS_MAX


class ServerSettings(Part):
    """The process as its callers meet it."""

    vapi_account: Identifier = "platform"
    """What the account is called in the log and in tables; the key may change, the account may not."""
    jwt_algorithm: Algorithm = "EdDSA"
    """How tokens are signed: EdDSA or RS256."""
    jwt_jwks_file: Path | None = None
    """One of the three says with which keys tokens are verified (zerotouch_platform/token_keys.py)."""
    jwt_jwks_url: SecureUrl | None = None
    """A set of keys at an https address."""
    jwt_public_key: JwtPublicKey = Field(default=None, repr=False)
    """One key, PEM; line ends may be written as `\\n`."""
    jwt_jwks_seconds: Seconds = 60
    """Between two readings of a set of keys."""
    jwt_lifetime_seconds_max: Seconds = 90 * 86400
    """A token that is good for longer is refused: what somebody finds on a lost laptop ends by itself."""
    jwt_issuer: NonEmpty
    """What a token's `iss` must be."""
    jwt_audience: NonEmpty
    """What a token's `aud` must have."""
    host: str = "127.0.0.1"
    """The address that is listened at."""
    port: Annotated[int, Field(ge=1, le=65535)] = 3001
    """The port of HTTP; health is there, too."""
    workers: Annotated[int, Field(ge=1, le=WORKERS_MAX)] = 1
    """Processes that serve the port; one has no supervisor."""
    http_connections_max: Count = 2000
    """Of each process. Above it, connections that wait are closed, those of whoever has most first."""
    http_requests_max: Count = 1500
    """Of each process at a time: what is more is answered 503. A save waits for Vapi, so a burst of saves is many."""
    agents_per_org_max: Count = 10_000
    """A clinic's agents made over HTTP: twice the largest clinic that was measured. Plain SQL may make more."""
    saves_waiting_max: Count = 10_000
    """Saves of one clinic that are not at Vapi: more are 429 over HTTP, as each is kept and told to others for ever."""
    auto_sync_joined_seconds: Seconds = 3600
    """So long an auto-sync that is not over is joined by another one: an agent that Vapi never takes ends no job."""
    log_level: LogLevel = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    otel_exporter_otlp_endpoint: HttpUrl | None = None
    """The collector of traces and metrics, `http://host:4318`; without it none are sent."""
    jaeger_ui_url: HttpUrl | None = None
    """Where people look at traces: then links to them are printed."""

    database_connections_max: Count = 10
    """Connections of a process to PostgreSQL."""
    database_command_timeout_seconds: Seconds = 10
    """The longest that a statement takes."""
    default_model_provider: str = "openai"
    """`model.provider` of an assistant whose row names none."""
    default_model: str = "gpt-4o"
    """`model.model` of an assistant whose row names none."""

    answer_wait_seconds: Seconds = 5
    """How long a client waits for Vapi; the call itself goes on."""
    body_bytes_max: Count = BODY_BYTES_MAX
    """Of a request's body; the webhook's has a limit of its own."""
    idempotency_lock_seconds: Seconds = 30
    """So long an idempotency key is held for a request that is under way."""
    idempotency_keep_hours: Count = 24
    """So long an answer is kept for its repeats."""
    saves_keep_days: Count = 30
    """So long a save that is over can be asked about."""

"""The loops': intake, relay and signed heads; writes, retries and leases; the key at Vapi, looks, PostgreSQL."""

from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from zerotouch_platform.private_key import require_ed25519_private_key


class WorkSettings(BaseSettings):
    """How patient the work is, and how much of it is done at once."""

    intake_records_max: PositiveInt = 500
    """Records of one batch."""
    intake_session_seconds: PositiveFloat = 10
    """Without a heartbeat for so long the broker gives a process's partitions to others."""
    intake_heartbeat_seconds: PositiveFloat = 2
    """Between two heartbeats."""
    intake_retry_seconds_base: PositiveFloat = 0.2
    """Before a batch is tried again; then twice that, and so on."""
    intake_retry_seconds_max: PositiveFloat = 5
    """The longest wait before a batch is tried again."""
    intake_watch_seconds: PositiveFloat = 10
    """Between two looks at how far the topic is ahead."""
    intake_stuck_seconds_max: PositiveFloat = 60
    """A consumer that has taken nothing for so long though there is something is made anew."""

    relay_page_events_max: PositiveInt = 500
    """Events that are sent at once."""
    relay_scan_events_max: PositiveInt = 5000
    """Events that are read at once in search of some to send."""
    relay_poll_seconds_max: PositiveFloat = 0.9
    """Without having been told: this process's appends wake it, and those of others by NOTIFY. It touches the session,
    too, and more often than it must be touched.
    """
    relay_candidate_seconds: PositiveFloat = 0.5
    """Between two tries of a replica to lead the relay."""
    relay_touch_seconds: PositiveFloat = 1
    """Between two statements of the leader, which keep its session."""
    relay_idle_session_seconds: PositiveFloat = 5
    """A leader that says nothing for so long has lost its session: another one leads."""
    relay_send_seconds_max: PositiveFloat = 10
    """The longest that one send waits for the broker."""

    log_signing_key_file: Path | None = None
    """Signed heads of the log (ADR 60): an Ed25519 private key in PEM, as a file or by itself. Without one nothing is
    proved against who owns the table. The database must never hold it."""
    log_signing_key: SecretStr | None = Field(default=None, validate_default=True)
    """The key itself, in PEM."""
    log_head_seconds: PositiveFloat = 60
    """What is newer than the newest head is proved by nothing."""
    log_head_late_seconds: PositiveFloat = 600
    """After so long without a head that could be sent, the log line is an alarm."""

    send_window_seconds: PositiveFloat = 1
    """A write is sent within so long after it was announced, or not at all."""
    call_deadline_seconds: PositiveFloat = 10
    """From asking Vapi to the last byte of its answer."""
    settle_seconds: PositiveFloat = 20
    """So long after it was asked a write of which nothing is known is done or not done: then Vapi is asked."""
    retry_seconds_base: PositiveFloat = 1
    """Before a step is tried again; then twice that, and so on."""
    retry_seconds_max: PositiveFloat = 300
    """The longest wait before a retry."""
    give_up_seconds: PositiveFloat = 3600
    """So long a save's failure is tried again before its outcome is a failure; work goes on after it."""
    look_again_seconds: PositiveFloat = 900
    """Between two looks at an assistant in whose way something stands."""
    diverged_look_seconds: PositiveFloat = 5
    """Between two looks at an assistant that is not at Vapi as it was saved."""
    diverged_give_up_seconds: PositiveFloat = 600
    """So long it is looked at before that is told."""
    tool_grace_seconds: PositiveFloat = 86400
    """Deleting tools: a tier that was lowered by mistake is raised again within a day, and then the tool keeps its
    id."""
    surplus_age_seconds: PositiveFloat = 3600
    """A write that was given up may still land while its sender's machine sleeps; and the lists at Vapi lag."""
    sweep_every_seconds: PositiveFloat = 3600
    """A sweep lists every assistant of the account."""
    lease_seconds: PositiveFloat = 4
    """With the poll before a claim, 5 s at most until the work of a dead process goes on."""
    lease_renew_seconds: PositiveFloat = 1.2
    """Between two renewals of the leases that a process holds."""
    orgs_in_flight_max: PositiveInt = 1000
    """A ceiling: how many it is follows from what the process can serve in time (reconciler/pace.py)."""
    claim_batch_max: PositiveInt = 200
    """Organizations that are claimed at once."""
    steps_per_org_max: PositiveInt = 16
    """Steps of one organization that are under way at once."""
    poll_seconds_max: PositiveFloat = 0.5
    """Until a process that nobody woke looks for work."""
    snapshot_after_events: PositiveInt = 20
    """Events after which an organization's state is stored, so that less is read the next time."""
    vapi_connections_max: PositiveInt = 1000
    """Connections of a process to Vapi."""

    vapi_requests_per_minute: PositiveInt | None = None
    """What Vapi allows its key. The rate is that of the whole credential, divided between the two services by shares;
    without it Vapi's own 429 is the limit."""
    vapi_rate_share: float = Field(default=0.6, gt=0, le=1)
    """This service's part of it; assistant-api has the rest."""
    vapi_rate_saves_share: float = Field(default=0.2, ge=0, lt=1)
    """What saves are expected to need of it. Bulk work is paced within the minute and leaves them what is still to
    come, and twice this share of the seconds at its turn."""
    vapi_rate_batch: PositiveInt = 20
    """Requests drawn at once by a replica: fewer statements, and fewer for the others."""
    vapi_rate_guard_seconds: PositiveFloat = 0.5
    """How far Vapi's clock may be from the database's."""
    key_refused_seconds: PositiveFloat = 60
    """A refused key needs a person; once a minute is soon enough to notice that somebody came."""
    breaker_failures: PositiveInt = 20
    """So many calls in a row, of all orgs, without an answer: then Vapi is away, and not one org's tool at fault."""
    breaker_seconds_base: PositiveFloat = 1
    """So long nothing is asked after the breaker opened for the first time; then twice that, and so on."""
    breaker_seconds_max: PositiveFloat = 60
    """The longest that the breaker stays open."""
    key_read_seconds: PositiveFloat = 1
    """How old this process's knowledge of a pause may be; a statement each while it works."""
    read_tries_max: PositiveInt = 3
    """Tries of one read."""
    read_retry_seconds: PositiveFloat = 0.2
    """Before the second try of a read; then twice that, and so on."""

    auto_sync_hours: PositiveFloat = 24
    """Every assistant and every tool of ours is looked at again at Vapi within so many hours (ADR 41)."""
    survey_looks_per_second: PositiveFloat = 5
    """The pace of what is looked at off the path of saves. A ceiling that leaves Vapi's key and the CPU to saves: 5 a
    second are 400,000 a day."""
    survey_poll_seconds: PositiveFloat = 30
    """Between two looks for assistants and tools that are to be looked at."""
    survey_settled_seconds: PositiveFloat = 10
    """So long after a save its clinic's tools are looked at."""

    log_check_seconds: PositiveFloat = 5
    """How often the log's head is looked at: one that has gone back was restored beneath the process."""
    database_pool_max: PositiveInt = 10
    """Connections of a process to PostgreSQL, beside those of the relay and the feed."""
    start_retry_seconds: PositiveFloat = 1
    """Between two tries to start while something is not there."""
    ready_check_seconds_max: PositiveFloat = 2
    """The longest that one check of `/readyz` takes."""

    def signing_key_pem(self) -> str | None:
        """The key that signs heads of the log, if there is one. Raises ``OSError`` where its file is gone."""
        if self.log_signing_key_file is not None:
            return self.log_signing_key_file.read_text(encoding="utf-8")
        return None if self.log_signing_key is None else self.log_signing_key.get_secret_value()

    @field_validator("log_signing_key_file")
    @classmethod
    def _signing_key_of_file(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                require_ed25519_private_key(value.read_text(encoding="utf-8"))
            except (OSError, UnicodeError) as error:
                raise ValueError(f"cannot be read: {type(error).__name__}") from None
        return value

    @field_validator("log_signing_key")
    @classmethod
    def _one_signing_key(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None:
            if info.data.get("log_signing_key_file") is not None:
                raise ValueError("must not be set together with LOG_SIGNING_KEY_FILE")
            require_ed25519_private_key(value.get_secret_value())
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

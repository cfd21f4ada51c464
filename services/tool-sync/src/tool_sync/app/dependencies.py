"""Builds the parts of the process and passes each what it needs; none of them is started here."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tool_sync import db
from tool_sync.app.metrics import metrics
from tool_sync.db import Connection, Pool
from tool_sync.domain.plan.situation import Policy
from tool_sync.intake import Intake, new_consumer
from tool_sync.log import EventLog
from tool_sync.outcomes.relay import Relay
from tool_sync.outcomes.topic_guard import TopicGuard
from tool_sync.readiness import database_problem
from tool_sync.rollouts.answered import AnsweredContracts
from tool_sync.rollouts.feeder import Feeder, fed_max_of
from tool_sync.settings import Settings
from tool_sync.sync.auto_sync import AutoSync
from tool_sync.sync.blueprint import OFFERED, Blueprint, definitions_with
from tool_sync.sync.concurrency import ConcurrencyLimiter
from tool_sync.sync.context import Context, FleetView, Limits
from tool_sync.sync.looks import Looks
from tool_sync.sync.loop import Reconciler
from tool_sync.sync.object_looks import LATE_MEANING, late_look
from tool_sync.sync.store import PostgresStore
from tool_sync.sync.survey import Survey, SurveyPace
from tool_sync.telemetry import SERVICE_VERSION
from tool_sync.vapi.client import VapiClient
from tool_sync.vapi.rate_limit import KeyLimits, KeyTable, SharedKey, fingerprint_of, paused_keys
from tool_sync.vapi.rate_limit.tokens import Rate
from tool_sync.vapi.words import FORGET_SECONDS, forget_words
from zerotouch_platform.gauges import Gauges, otlp_reader
from zerotouch_platform.health import Check, Health
from zerotouch_platform.kafka.consumer import BatchConsumer
from zerotouch_platform.kafka.ledger import open_losses
from zerotouch_platform.kafka.topics import problem_of
from zerotouch_platform.loops import Loop
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.vapi.clock_watch import ClockWatch
from zerotouch_platform.vapi.transport import PooledTransport


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What runs or is used while the process runs."""

    event_log: EventLog
    relay: Relay
    reconciler: Reconciler
    consumer: BatchConsumer
    survey: Survey
    auto_sync: AutoSync
    feeder: Feeder
    answered: AnsweredContracts
    guard: TopicGuard
    vapi: VapiClient
    clock_watch: ClockWatch
    blueprint: Blueprint
    gauges: Gauges | None


def build(
    settings: Settings, pool: Pool, log_id: UUID, tracing: Telemetry, *, exports_gauges: bool = True
) -> Dependencies:
    """The parts of a process that works on ``pool``, whose log is ``log_id``."""

    def on_settled(org_id: UUID) -> None:
        parts.survey.settled(org_id)

    def on_append(head: int) -> None:
        parts.guard.appended(head)
        parts.relay.wake()
        parts.reconciler.wake()

    event_log = EventLog(pool, on_append=on_append)
    guard = TopicGuard(settings, pool, log_id, on_change=lambda: parts.reconciler.wake())
    vapi, tools = _vapi(settings, tracing), _blueprint(settings)
    clock_watch = ClockWatch(vapi.clock, lambda: read_now(pool))
    context = Context(
        log=event_log,
        store=PostgresStore(pool),
        vapi=vapi,
        blueprint=tools,
        fleet=FleetView(),
        policy=_policy(settings),
        limits=_limits(settings),
        telemetry=tracing,
        service_version=SERVICE_VERSION,
        concurrency=_concurrency(settings),
        key=_key(settings, pool),
        writes_suspended=lambda: guard.writes_suspended,
        on_settled=on_settled,
    )
    intake = Intake(settings, event_log, pool, tracing, SERVICE_VERSION)
    parts = Dependencies(
        event_log=event_log,
        relay=Relay(settings, pool, log_id, tracing, look=guard.why_not_publish),
        reconciler=Reconciler(context),
        consumer=new_consumer(settings, intake, pool),
        survey=Survey(context, Looks(pool), _survey_pace(settings)),
        auto_sync=AutoSync(
            context,
            pool,
            period=timedelta(hours=settings.auto_sync_hours),
            per_second=settings.survey_looks_per_second,
            poll_seconds=settings.survey_poll_seconds,
        ),
        answered=AnsweredContracts(settings, pool, event_log, context.new_id(), context.clock.now),
        feeder=Feeder(
            context,
            pool,
            on_fed=lambda: parts.reconciler.wake(),
            fed_max=fed_max_of(settings.vapi_requests_per_minute),
        ),
        guard=guard,
        vapi=vapi,
        clock_watch=clock_watch,
        blueprint=tools,
        gauges=_gauges(settings, pool, clock_watch) if exports_gauges else None,
    )
    return parts


def loops_beside(settings: Settings, pool: Pool, parts: Dependencies) -> Mapping[str, Loop]:
    """The loops that look after something beside the work."""
    away = db.TRANSIENT_ERRORS
    forgetting = Loop(
        lambda: forget_words(pool), FORGET_SECONDS, "Vapi's words: nothing was deleted", away, level=logging.DEBUG
    )
    loops = {"forgetting": forgetting, "clock": parts.clock_watch.loop(away)}
    if parts.gauges is not None:
        loops["metrics"] = parts.gauges.loop(away)
    return loops


def watch(settings: Settings, health: Health, pool: Pool, parts: Dependencies) -> None:
    """Make the parts what ``/livez`` and ``/readyz`` answer from: the start is over."""
    topics = (settings.assistants_topic, settings.outcomes_topic)
    health.live["log"] = _known(lambda: parts.guard.replaced)
    health.ready["restore"] = _known(lambda: parts.guard.problem)
    health.live["intake"] = _known(lambda: parts.consumer.wedged)

    async def clock_notes() -> list[dict[str, object]]:
        problem = parts.clock_watch.problem
        return [] if problem is None else [{"skew_seconds": parts.clock_watch.skew_seconds, "meaning": problem}]

    async def late_looks(connection: Connection) -> list[dict[str, object]]:
        late = await late_look(connection, timedelta(hours=settings.auto_sync_hours))
        return [] if late is None else [{"kind": late.kind, "looked_at": late.looked_at, "meaning": LATE_MEANING}]

    health.notes["looks_late"] = lambda: noted(pool, late_looks)
    health.notes["vapi_key"] = lambda: noted(pool, paused_keys)
    health.notes["vapi_clock"] = clock_notes
    health.notes["records_lost"] = lambda: noted(pool, open_losses)
    health.ready["database"] = lambda: database_problem(pool)
    health.ready["kafka"] = lambda: problem_of(settings.kafka_bootstrap_servers, topics)
    health.ready["intake"] = _known(lambda: parts.consumer.problem)
    health.ready["relay"] = _known(lambda: parts.relay.problem)
    health.starting = None


def _known(read: Callable[[], str | None]) -> Check:
    """A check of what the process knows already."""

    async def check() -> str | None:
        return read()

    return check


async def noted(pool: Pool, read: Callable[[Connection], Awaitable[Sequence[object]]]) -> Sequence[object]:
    """What is read, for ``/readyz``; nothing while the database is away, as its own check says so."""
    try:
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            return await read(connection)
    except db.TRANSIENT_ERRORS:
        return ()


async def read_now(pool: Pool) -> datetime:
    """The database's time."""
    now: datetime = await pool.fetchval("SELECT clock_timestamp()", timeout=ACQUIRE_SECONDS)
    return now


def _gauges(settings: Settings, pool: Pool, clock_watch: ClockWatch) -> Gauges | None:
    if settings.otel_exporter_otlp_endpoint is None:
        return None
    return metrics(pool, otlp_reader(settings.otel_exporter_otlp_endpoint), clock_watch)


def _vapi(settings: Settings, tracing: Telemetry) -> VapiClient:
    return VapiClient(
        settings.vapi_base_url,
        settings.vapi_api_key.get_secret_value,
        account=settings.vapi_account,
        deadline_seconds=settings.call_deadline_seconds,
        transport=PooledTransport(settings.vapi_connections_max),
        telemetry=tracing,
    )


def _blueprint(settings: Settings) -> Blueprint:
    return Blueprint(
        definitions_with(settings.booking_definition_version),
        settings.tool_server_url,
        settings.installation_id,
        settings.tool_server_credential_id,
        OFFERED,
    )


def _concurrency(settings: Settings) -> ConcurrencyLimiter:
    # Well within the window: by then the loop is behind.
    slow_seconds = settings.send_window_seconds * 0.4
    return ConcurrencyLimiter(settings.orgs_in_flight_max, slow_seconds=slow_seconds, monotonic=time.monotonic)


def _key(settings: Settings, pool: Pool) -> SharedKey:
    table = KeyTable(pool, fingerprint_of(settings.vapi_api_key.get_secret_value()))
    return SharedKey(table, _key_limits(settings), monotonic=time.monotonic)


def _policy(settings: Settings) -> Policy:
    return Policy(
        settle=timedelta(seconds=settings.settle_seconds),
        give_up=timedelta(seconds=settings.give_up_seconds),
        look_again=timedelta(seconds=settings.look_again_seconds),
        diverged_look=timedelta(seconds=settings.diverged_look_seconds),
        diverged_give_up=timedelta(seconds=settings.diverged_give_up_seconds),
        retry_seconds_base=settings.retry_seconds_base,
        retry_seconds_max=settings.retry_seconds_max,
        tool_grace=timedelta(seconds=settings.tool_grace_seconds),
        surplus_age=timedelta(seconds=settings.surplus_age_seconds),
        sweep_every=timedelta(seconds=settings.sweep_every_seconds),
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        send_window_seconds=settings.send_window_seconds,
        lease_seconds=settings.lease_seconds,
        lease_renew_seconds=settings.lease_renew_seconds,
        claim_batch_max=settings.claim_batch_max,
        steps_per_org_max=settings.steps_per_org_max,
        poll_seconds_max=settings.poll_seconds_max,
        snapshot_after_events=settings.snapshot_after_events,
        read_tries_max=settings.read_tries_max,
        read_retry_seconds=settings.read_retry_seconds,
    )


def _survey_pace(settings: Settings) -> SurveyPace:
    return SurveyPace(
        looks_per_second=settings.survey_looks_per_second,
        poll_seconds=settings.survey_poll_seconds,
        settled_seconds=settings.survey_settled_seconds,
    )


def _key_limits(settings: Settings) -> KeyLimits:
    # A call may be sent until the window closes after its admission, and ends by its deadline.
    sent_seconds = settings.send_window_seconds
    return KeyLimits(
        rate=_rate(settings, sent_seconds),
        probe_seconds=sent_seconds + settings.call_deadline_seconds + 1,
        refused_seconds=settings.key_refused_seconds,
        breaker_failures=settings.breaker_failures,
        breaker_seconds_base=settings.breaker_seconds_base,
        breaker_seconds_max=settings.breaker_seconds_max,
        read_seconds=settings.key_read_seconds,
    )


def _rate(settings: Settings, sent_seconds: float) -> Rate | None:
    if settings.vapi_requests_per_minute is None:
        return None
    return Rate(
        per_minute=max(1, int(settings.vapi_requests_per_minute * settings.vapi_rate_share)),
        batch=settings.vapi_rate_batch,
        saves_share=settings.vapi_rate_saves_share,
        late_seconds=sent_seconds + settings.vapi_rate_guard_seconds,
        early_seconds=settings.vapi_rate_guard_seconds,
    )

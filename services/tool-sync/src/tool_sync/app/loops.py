"""Every loop of the process by its name, in the order in which they start. What only runs is built here."""

import logging
from collections.abc import Iterator
from datetime import timedelta

from tool_sync import db
from tool_sync.admin.retries import Retrying
from tool_sync.app.dependencies import Dependencies
from tool_sync.db import Pool
from tool_sync.intake.call_counts import NOTE_SECONDS, forget_counts, note_read
from tool_sync.notices.destination import PublicResolver
from tool_sync.notices.sending import AT_ONCE_MAX, NoticeSender
from tool_sync.notices.signing import SecretBox
from tool_sync.notices.watching import LOOK_SECONDS, Watcher
from tool_sync.publishing.document import Installation
from tool_sync.publishing.resolving import resolve
from tool_sync.queries.console_links import forget_links
from tool_sync.queries.status_links import forget_status_links
from tool_sync.rollouts.answered import AnsweredContracts
from tool_sync.rollouts.blueprint_topic import BlueprintTopic
from tool_sync.rollouts.dry_run import DryRuns
from tool_sync.rollouts.due import fed_max_of
from tool_sync.rollouts.feeder import Feeder
from tool_sync.rollouts.gates import Gates
from tool_sync.rollouts.stages import default_stages
from tool_sync.rollouts.taking import TakingRequests
from tool_sync.settings import Settings
from tool_sync.sync.auto_sync import AutoSync
from tool_sync.vapi.rate_limit.lender import Lender
from tool_sync.vapi.words import FORGET_SECONDS, forget_words
from zerotouch_platform.loops import Loop
from zerotouch_platform.supervisor import Part
from zerotouch_platform.vapi.transport import PooledTransport

AWAY = db.WAITED_OUT_ERRORS
NamedPart = tuple[str, Part]


def loops_of(settings: Settings, pool: Pool, parts: Dependencies) -> Iterator[NamedPart]:
    """All but HTTP, the log and its relays."""
    yield "guard", parts.guard.loop
    yield "reconciler", parts.reconciler
    yield "intake", parts.consumer
    yield from _looks_at_vapi(settings, pool, parts)
    yield from _fleet(settings, pool, parts)
    yield "calls", parts.calls
    yield "names", parts.names
    yield from _beside(settings, pool, parts)
    yield from _notices(settings, pool, parts)
    if parts.peer is not None:
        lender = Lender(parts.peer, parts.key.fingerprint)
        if (borrower := parts.key.borrower(lender.lend, parts.context.clock.now)) is not None:
            yield "borrower", borrower.loop
    if parts.heads is not None:
        yield "heads", parts.heads.loop
    if parts.gauges is not None and settings.otel_exporter_otlp_endpoint is not None:
        yield "metrics", parts.gauges.loop()


def _looks_at_vapi(settings: Settings, pool: Pool, parts: Dependencies) -> Iterator[NamedPart]:
    yield "survey", parts.survey.loop
    auto_sync = AutoSync(
        parts.context,
        pool,
        period=timedelta(hours=settings.auto_sync_hours),
        per_second=settings.survey_looks_per_second,
        poll_seconds=settings.survey_poll_seconds,
    )
    yield "auto sync", auto_sync.loop


def _fleet(settings: Settings, pool: Pool, parts: Dependencies) -> Iterator[NamedPart]:
    """What is published, ordered and answered, for all clinics."""
    context, log = parts.context, parts.event_log
    dry_runs = None if parts.peer is None else DryRuns(parts.peer)
    feeder = Feeder(
        context,
        pool,
        on_fed=parts.reconciler.wake,
        fed_max=fed_max_of(settings.vapi_requests_per_minute),
        gates=Gates(context, pool, dry_runs, parts.calls.behind_seconds),
    )
    requests = TakingRequests(
        pool,
        log,
        Installation(settings.tool_server_url, settings.installation_id, settings.tool_server_credential_id),
        default_stages(settings.own_orgs),
        context.new_id(),
        resolve,
        loopback_allowed=settings.tool_url_loopback_allowed,
        suspended=context.writes_suspended,
    )
    topic = BlueprintTopic(settings, pool, log, parts.log_id, context.new_id(), context.writes_suspended)
    yield "feeder", feeder.loop
    yield "contracts", AnsweredContracts(settings, pool, log, context.new_id(), context.clock.now).loop
    yield "blueprint topic", topic.loop
    yield "requests", requests.loop
    yield "unanswered", parts.unanswered.loop


def _beside(settings: Settings, pool: Pool, parts: Dependencies) -> Iterator[NamedPart]:
    """What looks after something beside the work."""

    async def forget() -> None:
        await forget_words(pool)
        await forget_links(pool)
        await forget_status_links(pool)
        await forget_counts(pool, settings.tool_call_counts_keep_days)

    async def calls_read() -> None:
        await note_read(pool, settings.tool_calls_topic, parts.calls.behind_seconds)

    told = "how far calls are read was not noted"
    yield "forgetting", Loop(forget, FORGET_SECONDS, "forgetting: nothing was deleted", AWAY, level=logging.DEBUG)
    yield "calls read", Loop(calls_read, NOTE_SECONDS, told, AWAY, level=logging.DEBUG)
    yield "clock", parts.clock_watch.loop(AWAY)
    yield "own accounts", parts.own_accounts.loop
    yield "accounts", parts.accounts
    yield "retries", Retrying(pool, parts.event_log).loop


def _notices(settings: Settings, pool: Pool, parts: Dependencies) -> Iterator[NamedPart]:
    """Where there is a key for the secrets of clinics' webhooks."""
    if (key := settings.notices_key_bytes()) is None:
        return
    loopback_allowed = settings.tool_url_loopback_allowed
    sender = NoticeSender(
        settings.database_url,
        pool,
        SecretBox(key),
        PooledTransport(AT_ONCE_MAX, resolver=PublicResolver(loopback_allowed=loopback_allowed)),
        loopback_allowed=loopback_allowed,
        sent=parts.meter.notified,
    )
    watcher = Watcher(pool)

    async def look() -> None:
        if sender.leads:
            await watcher.look()

    fault = "Looking for notices failed for a fault of ours"
    yield "notices", sender.loop
    yield "notices look", Loop(look, LOOK_SECONDS, "Clinics are not looked at for notices", AWAY, fault=fault)

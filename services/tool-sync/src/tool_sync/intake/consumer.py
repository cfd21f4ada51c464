"""Members of tool-sync's groups: the platform's consumer, as patient as the settings say."""

from collections.abc import Awaitable, Callable

from tool_sync import db
from tool_sync.db import Pool
from tool_sync.intake.intake import DatabaseAway, Intake
from tool_sync.settings import Settings
from zerotouch_platform.kafka.consumer import Batch, BatchConsumer, Membership


def new_consumer(settings: Settings, intake: Intake, pool: Pool) -> BatchConsumer:
    """A member of the group that reads the assistants topic, not connected yet."""
    topic, group = settings.assistants_topic, settings.consumer_group
    return member(settings, pool, topic, intake.handle, (DatabaseAway,), group_id=group, client_id="tool-sync")


def member(
    settings: Settings,
    pool: Pool,
    topic: str,
    handle: Callable[[Batch], Awaitable[None]],
    transient: tuple[type[Exception], ...],
    *,
    group_id: str,
    client_id: str,
) -> BatchConsumer:
    """A member of any group. ``transient``: what ``handle`` raises while the database is away, beside its own."""
    membership = Membership(
        settings.kafka_bootstrap_servers,
        topic,
        group_id,
        client_id=client_id,
        records_max=settings.intake_records_max,
        retry_seconds=settings.intake_retry_seconds_base,
        retry_seconds_max=settings.intake_retry_seconds_max,
        session_seconds=settings.intake_session_seconds,
        heartbeat_seconds=settings.intake_heartbeat_seconds,
        watch_seconds=settings.intake_watch_seconds,
        stuck_seconds_max=settings.intake_stuck_seconds_max,
    )
    waited_out = (*transient, *db.WAITED_OUT_ERRORS)
    return BatchConsumer(membership, handle, transaction=lambda: db.transaction(pool), transient=waited_out)

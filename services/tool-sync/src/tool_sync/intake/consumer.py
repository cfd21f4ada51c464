"""The consumer of the assistants topic: the platform's, whose batches the intake handles."""

from tool_sync import db
from tool_sync.db import Pool
from tool_sync.intake.intake import DatabaseAway, Intake
from tool_sync.settings import Settings
from zerotouch_platform.kafka.consumer import BatchConsumer, Membership


def new_consumer(settings: Settings, intake: Intake, pool: Pool) -> BatchConsumer:
    """A member of tool-sync's group, not connected yet."""
    membership = Membership(
        settings.kafka_bootstrap_servers,
        settings.assistants_topic,
        settings.consumer_group,
        client_id="tool-sync",
        records_max=settings.intake_records_max,
        retry_seconds=settings.intake_retry_seconds_base,
        retry_seconds_max=settings.intake_retry_seconds_max,
        session_seconds=settings.intake_session_seconds,
        heartbeat_seconds=settings.intake_heartbeat_seconds,
        watch_seconds=settings.intake_watch_seconds,
        stuck_seconds_max=settings.intake_stuck_seconds_max,
    )
    return BatchConsumer(
        membership,
        intake.handle,
        transaction=lambda: db.transaction(pool),
        transient=(DatabaseAway, *db.TRANSIENT_ERRORS),
    )

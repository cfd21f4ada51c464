"""What this process says of its health: its parts, the database, and what holds up work that no restart would do."""

from typing import Final

from assistant_api.db import TRANSIENT_ERRORS, Database, DatabaseUnavailable
from assistant_api.settings import Settings
from assistant_api.vapi.pause import read_pause
from zerotouch_platform.health import Health
from zerotouch_platform.kafka.consumer import BatchConsumer
from zerotouch_platform.kafka.ledger import open_losses
from zerotouch_platform.kafka.topics import problem_of
from zerotouch_platform.vapi.clock_watch import ClockWatch

CHECK_SECONDS_MAX: Final = 2.5
"""More than the database's own check takes, which says why it does not answer."""

_AWAY: Final = (DatabaseUnavailable, *TRANSIENT_ERRORS)


def new_health() -> Health:
    """The health of a process that has just started."""
    return Health(
        check_seconds_max=CHECK_SECONDS_MAX,
        starting=None,
        told={
            "database": "not connected yet",
            "relay": "not started yet",
            "restore": None,
        },
    )


def watch(
    health: Health,
    settings: Settings,
    database: Database,
    outcomes: BatchConsumer,
    clock_watch: ClockWatch,
    key_fingerprint: str,
) -> None:
    """Make the database, Kafka, the outcomes' consumer and what there is to note part of it."""

    async def outcomes_problem() -> str | None:
        return outcomes.problem

    async def outcomes_wedged() -> str | None:
        return outcomes.wedged

    async def clock() -> object:
        problem = clock_watch.problem
        return None if problem is None else {"skewSeconds": clock_watch.skew_seconds, "meaning": problem}

    async def losses() -> object:
        try:
            async with database.connection() as connection:
                return [str(loss) for loss in await open_losses(connection)]
        except _AWAY:  # it was there a moment ago; the next look says so
            return None

    async def key() -> object:
        try:
            async with database.connection() as connection:
                pause = await read_pause(connection, key_fingerprint)
        except _AWAY:
            return None
        return pause.shown() if pause is not None and pause.needs_a_person else None

    health.live["outcomes"] = outcomes_wedged
    health.ready["database"] = database.check
    health.ready["kafka"] = lambda: problem_of(settings.kafka_bootstrap_servers, settings.topics)
    health.ready["outcomes"] = outcomes_problem
    health.notes |= {"vapiClock": clock, "recordsLost": losses, "vapiKey": key}

"""The composition root: builds every part, passes it down, starts and stops it in order.

HTTP comes first, so that a process that waits for PostgreSQL or Kafka is live and says what it waits for. The parts
end along the data's way: intake and reconciler, then the log (which stores what they asked for), then the relay, then
the connections.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from tool_sync.app.dependencies import Dependencies
from tool_sync.app.front import Front, Served
from tool_sync.app.health import told_by, watch
from tool_sync.app.loops import loops_of
from tool_sync.db import Pool
from tool_sync.http import app as http_app
from tool_sync.outcomes.feed import Tail
from tool_sync.outcomes.published import ALL
from tool_sync.release import SERVICE_VERSION
from tool_sync.settings import Settings
from tool_sync.sync import blueprint
from zerotouch_platform.loops import either
from zerotouch_platform.worker import Worker

log = structlog.get_logger(__name__)

# Together below 5 s, of which tracing may take what the others leave.
_STOP_WORK_SECONDS: Final = 2.5
_STOP_LOG_SECONDS: Final = 0.7
_STOP_RELAY_SECONDS: Final = 0.7


async def serve(
    settings: Settings,
    stopping: asyncio.Event,
    *,
    on_listening: Callable[[int], None] | None = None,
    worker: Worker | None = None,
) -> None:
    """Run the whole service until ``stopping`` is set, and then stop it within 5 s.

    ``on_listening`` is told the HTTP port, which other processes serve, too, where this one is a ``worker``. Raises
    ``OSError`` where the port cannot be had,
    :class:`~zerotouch_platform.postgres.installation.ForeignInstallation` where the database is another's, and
    :class:`zerotouch_platform.supervisor.LoopEnded`.
    """
    served = Served(settings.port, http_app.build, settings.console_in_run)
    await Front(settings, served, stopping, worker).run(_work, on_listening)


async def _work(front: Front) -> None:
    settings, loops, health = front.settings, front.loops, front.state.health
    async with front.database() as pool:
        # What another replica stored has to be published here, where this one's relay leads.
        tail = Tail(settings.database_url, on_news=lambda: parts.wake_relays())
        parts = _built(front, pool)
        relays = {f"{published.name} relay": relay for published, relay in zip(ALL, parts.relays, strict=True)}
        work = dict(loops_of(settings, pool, parts))
        try:
            front.start_log(pool, parts.event_log, tail)
            await front.there(lambda: blueprint.seed(parts.event_log, parts.context.blueprint, SERVICE_VERSION))
            # Before anything is claimed: a clinic of an account of its own is asked for nowhere else.
            await front.there(parts.own_accounts.refresh)
            for name, loop in (relays | work).items():
                loops.start(name, loop)
            # Not ready before that: a save would wait for the look.
            health.starting = "checking whether a topic is ahead of the log"
            await either(parts.guard.looked, front.stopping)
            watch(settings, health, pool, parts)
            log.info("tool-sync works")
            front.open()
            await loops.until_ended(front.stopping)
            log.info("tool-sync stops")
            await front.withdraw()
        finally:
            await loops.stop("feed", "revoked tokens", *reversed(work), seconds_max=_STOP_WORK_SECONDS)
            await loops.stop("event log", seconds_max=_STOP_LOG_SECONDS)
            await loops.stop(*relays, seconds_max=_STOP_RELAY_SECONDS)
            await parts.context.vapi.close()
            await parts.own_accounts.close()
            if parts.peer is not None:
                await parts.peer.close()


def _built(front: Front, pool: Pool) -> Dependencies:
    """The parts, of which the front shows what is known of them."""
    log_id, has_gauges = front.state.log_id, front.worker is None or front.worker.owns_gauges
    assert log_id is not None, "the database has answered"
    coverage = front.process.coverage
    parts = Dependencies(front.settings, pool, log_id, front.tracing, front.meters, coverage, has_gauges=has_gauges)
    front.siblings.gauges = parts.gauges
    front.process.parts = told_by(front.settings, parts)
    return parts

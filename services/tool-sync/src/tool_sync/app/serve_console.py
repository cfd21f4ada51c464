"""The console as a process of its own: the same pages and actions, from the database alone.

It claims no clinic, reads and publishes no topic and never calls Vapi: what an action asks for is an event in the log
or a row, which the processes of ``run`` find. So it may be restarted, or be slow, and no save notices.
"""

import asyncio
from functools import partial
from typing import Final

import structlog

from tool_sync.app.front import Front, Served
from tool_sync.app.health import noted
from tool_sync.http import app as http_app
from tool_sync.log import EventLog
from tool_sync.outcomes.feed import Tail
from tool_sync.readiness import database_problem
from tool_sync.settings import Settings
from tool_sync.vapi.rate_limit import paused_keys
from zerotouch_platform.kafka.ledger import open_losses

log = structlog.get_logger(__name__)

_STOP_SECONDS: Final = 1.0


async def serve_console(settings: Settings, stopping: asyncio.Event) -> None:
    """Serve the console at ``CONSOLE_PORT`` until ``stopping`` is set. Needs ``CONSOLE_KEY``.

    Raises what :func:`tool_sync.app.serve.serve` does.
    """
    assert settings.console_key is not None
    served = Served(settings.console_port, http_app.build_health, has_console=True, is_console_alone=True)
    await Front(settings, served, stopping).run(_work)


async def _work(front: Front) -> None:
    health, loops = front.state.health, front.loops
    async with front.database() as pool:
        try:
            front.start_log(pool, EventLog(pool), Tail(front.settings.database_url))
            health.notes |= {
                "vapi_key": partial(noted, pool, paused_keys),
                "records_lost": partial(noted, pool, open_losses),
            }
            health.ready["database"] = lambda: database_problem(pool)
            health.starting = None
            log.info("the console works")
            front.open()
            await loops.until_ended(front.stopping)
            log.info("the console stops")
        finally:
            await loops.stop("feed", "revoked tokens", seconds_max=_STOP_SECONDS)
            await loops.stop("event log", seconds_max=_STOP_SECONDS)

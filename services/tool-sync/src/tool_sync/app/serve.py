"""The composition root: builds every part, passes it down, starts and stops it in order.

HTTP comes first, so that a process that waits for PostgreSQL or Kafka is live and says what it waits for. The parts
end along the data's way: intake and reconciler, then the log (which stores what they asked for), then the relay, then
the connections.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from opentelemetry.sdk.trace.export import SpanExporter

from tool_sync import db, telemetry
from tool_sync.app.dependencies import build, loops_beside, watch
from tool_sync.db import Pool
from tool_sync.http import app as http_app
from tool_sync.http.state import HttpState
from tool_sync.log import AppendRejected, LogUnavailable
from tool_sync.outcomes.feed import Tail
from tool_sync.readiness import database_problem
from tool_sync.settings import Settings
from tool_sync.sync import blueprint
from tool_sync.telemetry import SERVICE_VERSION
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health
from zerotouch_platform.loops import either, pause
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS, close_pool
from zerotouch_platform.postgres.session import session_problem
from zerotouch_platform.server import HttpServer, listening_socket
from zerotouch_platform.siblings import Siblings
from zerotouch_platform.supervisor import Loops
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.worker import Worker

log = structlog.get_logger(__name__)

T = TypeVar("T")

_AWAY: Final = (*db.TRANSIENT_ERRORS, LogUnavailable, AppendRejected)
_WORK: Final = (
    "metrics",
    "feed",
    "guard",
    "intake",
    "survey",
    "auto sync",
    "feeder",
    "contracts",
    "forgetting",
    "clock",
    "reconciler",
)
CONNECTIONS_MAX: Final = 500
HEADER_BYTES_MAX: Final = 16 * 1024
# Together below 5 s, of which tracing may take what the others leave.
_STOP_WORK_SECONDS: Final = 2.5
_STOP_LOG_SECONDS: Final = 0.7
_STOP_RELAY_SECONDS: Final = 0.7
_STOP_HTTP_SECONDS: Final = 0.5
_CLOSE_POOL_SECONDS: Final = 0.5


class NotThere(Exception):
    """What the start needs is missing; the message says what, for an operator. It is tried again."""


@dataclass(frozen=True, slots=True)
class _Front:
    """What answers before anything works. ``worker``: others answer at the same port."""

    state: HttpState
    server: HttpServer
    siblings: Siblings
    worker: Worker | None

    def open(self) -> None:
        """Take connections, and tell the supervisor, now that everything works."""
        self.server.open()
        if self.worker is not None:
            self.worker.works()

    async def withdraw(self, loops: Loops) -> None:
        """Leave the port to the other workers before anything else ends: they have what it needs."""
        if self.worker is not None:
            await self.server.drain()
            await loops.stop("http", "siblings", seconds_max=_STOP_HTTP_SECONDS)


class Stopped(Exception):
    """The process was asked to stop while it was still starting."""


async def serve(
    settings: Settings,
    stopping: asyncio.Event,
    *,
    exporter: SpanExporter | None = None,
    on_listening: Callable[[int], None] | None = None,
    worker: Worker | None = None,
) -> None:
    """Run the whole service until ``stopping`` is set, and then stop it within 5 s.

    ``on_listening`` is told the HTTP port, which other processes serve, too, where this one is a ``worker``. Raises
    ``OSError`` where the port cannot be had,
    :class:`~zerotouch_platform.postgres.installation.ForeignInstallation` where the database is another's, and
    :class:`zerotouch_platform.supervisor.LoopEnded`.
    """
    tracing = telemetry.set_up(settings.otel_exporter_otlp_endpoint, exporter=exporter, worker=worker)
    state = HttpState(TokenVerifier(settings), Health(check_seconds_max=settings.ready_check_seconds_max))
    listening = listening_socket(worker, settings.host, settings.port)
    siblings = Siblings(worker, state.health)
    app = http_app.build(state, tracing)
    app.add_route("/workers", siblings.page, include_in_schema=False)
    server = HttpServer(
        app,
        listening,
        connections_max=CONNECTIONS_MAX,
        header_bytes_max=HEADER_BYTES_MAX,
        opens_after_seconds=0.0 if worker is None else worker.opens_after_seconds,
    )
    log.info("tool-sync starts", version=SERVICE_VERSION, host=settings.host, port=server.port)
    if on_listening is not None:
        on_listening(server.port)
    loops = Loops()
    loops.start("http", server)
    loops.start("siblings", siblings)
    try:
        await _run(settings, stopping, tracing, _Front(state, server, siblings, worker), loops)
    except Stopped:
        log.info("tool-sync was stopped while it was starting")
    finally:
        await loops.stop("http", "siblings", seconds_max=_STOP_HTTP_SECONDS)
        await tracing.shutdown()
        log.info("tool-sync has stopped")


async def _run(settings: Settings, stopping: asyncio.Event, tracing: Telemetry, front: _Front, loops: Loops) -> None:
    state, worker = front.state, front.worker

    def until_there(act: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        return _until_there(act, state.health, stopping, settings.start_retry_seconds)

    pool = await until_there(lambda: _open_database(settings))
    try:
        state.pool = pool
        state.log_id = await until_there(lambda: _read_log_id(settings, pool))
        # What another replica stored has to be published here, where this one's relay leads.
        state.tail = Tail(settings.database_url, on_news=lambda: parts.relay.wake())
        exports_gauges = worker is None or worker.owns_gauges
        parts = build(settings, pool, state.log_id, tracing, exports_gauges=exports_gauges)
        front.siblings.gauges = parts.gauges
        try:
            loops.start("event log", parts.event_log)
            state.log = parts.event_log
            loops.start("feed", state.tail)
            await until_there(lambda: blueprint.seed(parts.event_log, parts.blueprint, SERVICE_VERSION))
            loops.start("guard", parts.guard.loop)
            loops.start("relay", parts.relay)
            loops.start("reconciler", parts.reconciler)
            loops.start("intake", parts.consumer)
            loops.start("survey", parts.survey.loop)
            loops.start("auto sync", parts.auto_sync.loop)
            loops.start("feeder", parts.feeder.loop)
            loops.start("contracts", parts.answered.loop)
            for name, loop in loops_beside(settings, pool, parts).items():
                loops.start(name, loop)
            # Not ready before that: a save would wait for the look.
            state.health.starting = "checking whether the outcomes topic is ahead of the log"
            await either(parts.guard.looked, stopping)
            watch(settings, state.health, pool, parts)
            log.info("tool-sync works")
            front.open()
            await loops.until_ended(stopping)
            log.info("tool-sync stops")
            await front.withdraw(loops)
        finally:
            await loops.stop(*_WORK, seconds_max=_STOP_WORK_SECONDS)
            await loops.stop("event log", seconds_max=_STOP_LOG_SECONDS)
            await loops.stop("relay", seconds_max=_STOP_RELAY_SECONDS)
            await parts.vapi.close()
    finally:
        await close_pool(pool, seconds_max=_CLOSE_POOL_SECONDS)


async def _open_database(settings: Settings) -> Pool:
    try:
        if (problem := await session_problem(settings.database_url)) is not None:
            raise NotThere(problem)
        pool = await db.SESSIONS.pool(settings.database_url, size_max=settings.database_pool_max)
    except db.TRANSIENT_ERRORS as error:
        at = urlsplit(settings.database_url)
        raise NotThere(
            f"PostgreSQL at {at.hostname}:{at.port or 5432} does not answer: {type(error).__name__}: {error}"
        ) from error
    if (reason := await database_problem(pool)) is not None:
        await close_pool(pool, seconds_max=_CLOSE_POOL_SECONDS)
        raise NotThere(reason)
    return pool


async def _read_log_id(settings: Settings, pool: Pool) -> UUID:
    async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
        return await db.claim_installation(connection, settings.installation_id)


async def _until_there(
    act: Callable[[], Awaitable[T]], health: Health, stopping: asyncio.Event, retry_seconds: float
) -> T:
    """Do ``act`` until it succeeds; a new reason is logged once and is what ``/readyz`` says. Raises `Stopped`."""
    while not stopping.is_set():
        try:
            return await act()
        except (NotThere, *_AWAY) as error:
            reason = str(error) if isinstance(error, NotThere) else f"{type(error).__name__}: {error}"
        if reason != health.starting:
            log.warning("tool-sync waits", reason=reason)
        health.starting = reason
        await pause(stopping, retry_seconds)
    raise Stopped

"""What answers before anything works: HTTP with its health, tokens, limits and figures, and the console where it is.

A process that waits for PostgreSQL or Kafka is live, and says what it waits for.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp

from tool_sync import db, telemetry
from tool_sync.app.starting import CLOSE_POOL_SECONDS, Stopped, log_id_of, open_database, until_there
from tool_sync.console.oidc.provider import Provider
from tool_sync.console.process import Process
from tool_sync.console.sandbox_dials import SandboxDials
from tool_sync.console.session import PREFIX, Sealer
from tool_sync.db import Pool
from tool_sync.http.lasting import lasts
from tool_sync.http.state import ConsoleDoor, HttpState, Installed, NoticesDoor
from tool_sync.log import EventLog
from tool_sync.notices.signing import SecretBox
from tool_sync.outcomes.feed import Tail
from tool_sync.publishing.resolving import NameService
from tool_sync.release import SERVICE_VERSION
from tool_sync.settings import LOOPBACK, Settings
from tool_sync.vapi.rate_limit.tokens import share_of_rate
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.connections import ConnectionLimits
from zerotouch_platform.health import READY_CACHED_SECONDS, Health
from zerotouch_platform.limits.middleware import Limits
from zerotouch_platform.limits.refusals import Refusals, export
from zerotouch_platform.meters import Meters
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS, close_pool
from zerotouch_platform.revoked_tokens import RevokedTokens
from zerotouch_platform.server import HttpServer, listening_socket
from zerotouch_platform.settings import settings_shown
from zerotouch_platform.siblings import Siblings
from zerotouch_platform.supervisor import Loops
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.token_keys import TokenKeys
from zerotouch_platform.turns import Turns
from zerotouch_platform.vapi.transport import PooledTransport
from zerotouch_platform.warm_up import warm_up
from zerotouch_platform.worker import Worker

log = structlog.get_logger(__name__)

T = TypeVar("T")

_STOP_HTTP_SECONDS: Final = 0.5
NAMES_AT_ONCE_MAX: Final = 8
"""Hosts of URLs that clinics set for their notices just now."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a process of a kind serves at which port: the routes of ``api``, and the console or not."""

    port: int
    api: Callable[[HttpState, Telemetry], FastAPI]
    has_console: bool
    is_console_alone: bool = False


class Front:
    """What answers before anything works. ``stopping``: the process is asked to end. ``worker``: others answer at the
    same port. Raises ``OSError`` where that cannot be had."""

    def __init__(
        self, settings: Settings, served: Served, stopping: asyncio.Event, worker: Worker | None = None
    ) -> None:
        self.settings, self.stopping, self.worker, self.loops = settings, stopping, worker, Loops()
        self.tracing = telemetry.set_up(settings.otel_exporter_otlp_endpoint, worker=worker)
        self.meters = Meters(telemetry.resource_of(worker), settings.otel_exporter_otlp_endpoint)
        self._keys = TokenKeys(settings)
        self.state = _state(settings, self._keys, self.meters)
        listening = listening_socket(worker, settings.host, served.port)
        self.siblings = Siblings(worker, self.state.health, self.meters)
        self.process = _process(settings, served, self.siblings)
        sealer = _sealer(settings)
        app = served.api(self.state, self.tracing)
        app.add_route("/workers", self.siblings.page, include_in_schema=False)
        app.add_route("/metrics", self.siblings.metrics, include_in_schema=False)
        self.server = HttpServer(
            app if sealer is None or not served.has_console else _with_console(app, self.state, sealer, self.process),
            listening,
            limits=ConnectionLimits(settings.http_connections_max, settings.http_requests_max),
            opens_after_seconds=0.0 if worker is None else worker.opens_after_seconds,
            warm_up=partial(_warm_up, app, has_console=sealer is not None and served.has_console),
        )
        if sealer is not None:
            self.state.console = ConsoleDoor(
                _console_url(settings, served, self.server.port), sealer.seal_link, settings.console_frame_ancestors
            )

    async def run(
        self, work: Callable[["Front"], Awaitable[None]], on_listening: Callable[[int], None] | None = None
    ) -> None:
        """Answer HTTP, do ``work``, which ends when the process is to stop, and stop answering."""
        loops = self.loops
        log.info("tool-sync starts", version=SERVICE_VERSION, host=self.settings.host, port=self.server.port)
        if on_listening is not None:
            on_listening(self.server.port)
        loops.start("http", self.server)
        loops.start("siblings", self.siblings)
        if (following := self._keys.loop()) is not None:
            loops.start("token keys", following)
        try:
            await work(self)
        except Stopped:
            log.info("tool-sync was stopped while it was starting")
        finally:
            await loops.stop("http", "siblings", "token keys", seconds_max=_STOP_HTTP_SECONDS)
            if self.process.sandbox is not None:
                await self.process.sandbox.close()
            await self.tracing.shutdown()
            self.meters.close()
            log.info("tool-sync has stopped")

    async def there(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do what the start needs, until it succeeds. Raises `Stopped`."""
        return await until_there(act, self.state.health, self.stopping, self.settings.start_retry_seconds)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Pool]:
        """What both kinds of process work on, once it answers and is ours: closed at the end of the block."""
        settings, state = self.settings, self.state
        pool = await self.there(lambda: open_database(settings))
        try:
            state.pool, state.turns = pool, Turns.of_connections(max(1, settings.database_pool_max // 2))
            state.log_id = await self.there(lambda: log_id_of(settings, pool))
            yield pool
        finally:
            await close_pool(pool, seconds_max=CLOSE_POOL_SECONDS)

    def start_log(self, pool: Pool, event_log: EventLog, tail: Tail) -> None:
        """Let routes read the log and append to it, wait at its end, and know which tokens were taken back."""
        self.state.log, self.state.tail = event_log, tail
        revoked = self.state.verifier.revoked
        following = revoked.loop(lambda: pool.acquire(timeout=ACQUIRE_SECONDS), db.WAITED_OUT_ERRORS)
        self.loops.start("revoked tokens", following)
        self.loops.start("event log", event_log)
        self.loops.start("feed", tail)

    def open(self) -> None:
        """Take connections, and tell the supervisor, now that everything works."""
        self.server.open()
        if self.worker is not None:
            self.worker.works()

    async def withdraw(self) -> None:
        """Leave the port before anything else ends: what was taken here is answered, and others take what comes."""
        await self.server.drain()
        await self.loops.stop("http", "siblings", seconds_max=_STOP_HTTP_SECONDS)


def _state(settings: Settings, keys: TokenKeys, meters: Meters) -> HttpState:
    """What the routes work with before the database has answered."""
    health = Health(settings.ready_check_seconds_max, cached_seconds=READY_CACHED_SECONDS)
    health.ready["token_keys"], health.notes["token_keys"] = keys.problem, keys.note
    revoked = RevokedTokens()
    health.ready["revoked_tokens"], health.notes["revoked_tokens"] = revoked.problem, revoked.note
    state = HttpState(TokenVerifier(settings, keys, revoked), health, installed=_installed(settings))
    export(meters, refusals := Refusals())
    state.limits = Limits(settings, state.verifier, refusals, requests_max=settings.http_requests_max, is_stream=lasts)
    if (key := settings.notices_key_bytes()) is not None:
        state.notices = NoticesDoor(SecretBox(key), NameService(NAMES_AT_ONCE_MAX).addresses)
    return state


def _process(settings: Settings, served: Served, siblings: Siblings) -> Process:
    return Process(
        settings_shown(settings),
        siblings.workers,
        sandbox_of(settings),
        provider=Provider.of(settings),
        is_console_alone=served.is_console_alone,
    )


def _sealer(settings: Settings) -> Sealer | None:
    """Of the console's cookies, where there is a key for them."""
    key = settings.console_key_bytes()
    return None if key is None else Sealer(key, is_secure=(settings.console_url or "").startswith("https:"))


def _with_console(app: FastAPI, state: HttpState, sealer: Sealer, process: Process) -> ASGIApp:
    # Imported here: its pages and templates take 4 MB, and a process without a key has none.
    from tool_sync.console.app import mounted

    return mounted(app, state, sealer, process)


def _warm_up(app: FastAPI, *, has_console: bool) -> None:
    warm_up(app)
    if has_console:
        from tool_sync.console.pages import compile_templates

        compile_templates()


def _installed(settings: Settings) -> Installed:
    rate = settings.vapi_requests_per_minute
    return Installed(
        settings.tool_server_url,
        settings.tool_server_credential_id,
        settings.tool_url_loopback_allowed,
        None if rate is None else share_of_rate(rate, settings.vapi_rate_share),
        settings.own_orgs,
    )


def sandbox_of(settings: Settings) -> SandboxDials | None:
    """What turns the dials, where Vapi is on this machine: nothing else is ever asked for them."""
    if urlsplit(settings.vapi_base_url).hostname not in LOOPBACK:
        return None
    return SandboxDials(settings.vapi_base_url, PooledTransport(1))


def _console_url(settings: Settings, served: Served, port: int) -> str | None:
    """Where browsers find the console, as far as is known: on this machine, where nobody has said."""
    if settings.console_url is not None:
        return f"{settings.console_url.rstrip('/')}{PREFIX}"
    port = port if served.has_console else settings.console_port
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}{PREFIX}" if settings.host in LOOPBACK else None

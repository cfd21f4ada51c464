"""The composition: builds every part, starts the loops in an order that can wait, stops them within seconds."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import asyncpg
from opentelemetry.sdk.trace.export import SpanExporter

from assistant_api import telemetry
from assistant_api.app.announcer import Announcer
from assistant_api.app.health import new_health, watch
from assistant_api.app.housekeeping import PAUSE_SECONDS as HOUSEKEEPING_SECONDS
from assistant_api.app.housekeeping import Housekeeping
from assistant_api.app.lookout import Lookout, Wakes
from assistant_api.app.metrics import metrics
from assistant_api.db import TRANSIENT_ERRORS, Database, DatabaseUnavailable, claim_installation
from assistant_api.http.dependencies import Dependencies
from assistant_api.outcomes.handler import OutcomesHandler, new_consumer
from assistant_api.provisioner.blocks import BlockRewrites
from assistant_api.provisioner.loop import Provisioner
from assistant_api.provisioner.step import Steps
from assistant_api.relay.loop import Relay
from assistant_api.removals.loop import Remover
from assistant_api.removals.step import RemovalSteps
from assistant_api.removals.sweep import LOOKS_PER_AGE, Sweep
from assistant_api.restore import guard as restore
from assistant_api.restore.guard import TopicAhead, TopicGuard
from assistant_api.settings import Settings
from assistant_api.tool_calls.credentials import WebhookCredentials
from assistant_api.tool_calls.handle import ToolCallHandler
from assistant_api.vapi.client import VapiClient
from assistant_api.vapi.key import VapiKey
from assistant_api.vapi.orphan_lookup import OrphanLookup
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.gauges import Gauges, otlp_reader
from zerotouch_platform.loops import Loop, Wake, in_one_line
from zerotouch_platform.supervisor import Loops, Part
from zerotouch_platform.telemetry import start_loop
from zerotouch_platform.vapi.clock_watch import ClockWatch
from zerotouch_platform.worker import Worker

_AWAY: Final = (DatabaseUnavailable, *TRANSIENT_ERRORS)


class Service:
    """All parts of one process. ``exporter`` is the seam for tests and benchmarks.

    ``worker``: what it is, where several processes serve the port. ``on_works`` is called when the database answers.
    """

    def __init__(
        self, settings: Settings, *, exporter: SpanExporter | None = None, worker: Worker | None = None
    ) -> None:
        self.settings = settings
        self.on_works: Callable[[], None] = lambda: None
        self.health = new_health()
        self.telemetry = telemetry.set_up(settings.otel_exporter_otlp_endpoint, exporter=exporter, worker=worker)
        self.database = Database(settings, self.health)
        self.vapi = VapiClient(settings, self.telemetry, VapiKey(settings, self.database))
        self.clock_watch = ClockWatch(self.vapi.clock, self.database.now)
        self.metrics: Gauges | None = None
        if settings.otel_exporter_otlp_endpoint is not None and (worker is None or worker.owns_gauges):
            self.metrics = metrics(
                self.database, otlp_reader(str(settings.otel_exporter_otlp_endpoint)), self.clock_watch
            )
        self.wake_relay = Wake()
        self._relay: Relay | None = None
        self.guard = TopicGuard(settings, self.database, self.health)
        lost = OrphanLookup(self.vapi, settings)
        steps = Steps(
            self.database,
            self.vapi,
            lost,
            settings,
            self.telemetry,
            settings.installation_id,
            behind_seconds=lambda: self.outcomes.behind_seconds(),
        )
        self.provisioner = Provisioner(
            steps,
            self.database,
            settings,
            on_stored=self.wake_relay,
            writes_suspended=lambda: self.guard.writes_suspended,
        )
        removals = RemovalSteps(
            self.database,
            self.vapi,
            lost,
            settings,
            self.telemetry,
            settings.installation_id,
            on_released=self.provisioner.wake,
        )
        self.remover = Remover(removals, self.database, settings, lambda: self.guard.writes_suspended)
        self.sweep = Sweep(lost, self.database, settings, settings.installation_id, self.remover.wake)
        outcomes = OutcomesHandler(settings, self.database, self.telemetry, self.provisioner.wake)
        self.outcomes = new_consumer(settings, self.database, outcomes)
        watch(self.health, settings, self.database, self.outcomes, self.clock_watch, self.vapi.key.fingerprint)
        self.blocks = BlockRewrites(
            self.database,
            settings,
            self.telemetry,
            self.provisioner.wake,
            writes_suspended=lambda: self.guard.writes_suspended,
        )
        self.housekeeping = Housekeeping(settings, self.database)
        self.announcer = Announcer(settings, self.database)
        self.loops: Mapping[str, Part] = self._loops()
        self._running = Loops()
        self._stopping = asyncio.Event()
        self.parts = self._dependencies()

    def _loops(self) -> Mapping[str, Part]:
        """All but the relay, which is made once the database has said which log it sends."""
        settings, provisioner, remover = self.settings, self.provisioner, self.remover
        wakes = Wakes(
            provisioner.wake, remover.wake, self.wake_relay, lambda: self._relay is not None and self._relay.leads
        )
        lookout = Lookout(self.database, wakes, settle_seconds=settings.settle_seconds)
        loops = {
            "guard": Loop(
                self.guard.run_once,
                settings.reconnect_seconds_max,
                "topic_not_known",
                (TopicAhead, *restore.AWAY),
                level=logging.DEBUG,
            ),
            "provisioner": Loop(
                provisioner.run_once,
                settings.poll_seconds_max,
                "provisioner_waits",
                _AWAY,
                eager=True,
                wake=provisioner.wake,
                at_end=lambda: provisioner.finish(settings.stop_seconds / 2),
            ),
            "lookout": Loop(lookout.run_once, settings.look_seconds, "lookout_waits", _AWAY, level=logging.DEBUG),
            "blocks": Loop(
                self.blocks.run_once,
                settings.rewrite_poll_seconds,
                "rewrites_postponed",
                (*_AWAY, asyncpg.TransactionRollbackError),
            ),
            "remover": Loop(
                remover.run_once,
                settings.poll_seconds_max,
                "remover_waits",
                _AWAY,
                eager=True,
                wake=remover.wake,
                at_end=remover.cut_off,
            ),
            "sweep": Loop(self.sweep.run_once, settings.surplus_age_seconds / LOOKS_PER_AGE, "sweep_postponed", _AWAY),
            "housekeeping": Loop(
                self.housekeeping.run_once, HOUSEKEEPING_SECONDS, "housekeeping_postponed", _AWAY, eager=True
            ),
            "clock": self.clock_watch.loop(_AWAY),
        }
        if self.metrics is not None:
            loops["metrics"] = self.metrics.loop(_AWAY)
        return {"outcomes": self.outcomes, "announcer": self.announcer, **loops}

    async def run_loops(self) -> None:
        """Wait for the database, then run every loop until they are stopped.

        Raises :class:`~zerotouch_platform.postgres.installation.ForeignInstallation`, and
        :class:`~zerotouch_platform.supervisor.LoopEnded` where a loop ends by itself.
        """
        log_id = await self._claim_database()
        self.on_works()
        self._relay = Relay(
            self.settings,
            self.database,
            self.telemetry,
            self.health,
            log_id,
            wake=self.wake_relay,
            guard=self.guard,
        )
        await self.guard.begin(log_id)
        if self._stopping.is_set():  # meanwhile: nobody would stop them
            return
        for name, loop in {**self.loops, "relay": self._relay}.items():
            self._running.start(name, loop)
        await self._running.until_ended(self._stopping)

    async def stop(self) -> None:
        """Stop the loops side by side: nothing new is begun, what runs gets `stop_seconds`."""
        self._stopping.set()
        self.provisioner.end_waits()
        await self._running.stop(*self.loops, "relay", seconds_max=self.settings.stop_seconds)

    async def close(self) -> None:
        """Close connections and export the last spans; after :meth:`stop`."""
        await self.vapi.close()
        await self.database.close()
        await self.telemetry.shutdown(seconds_max=1)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["asyncio.Task[None]"]:
        """The loops, as one task, while the block runs."""
        running = start_loop(self.run_loops(), name="loops")
        try:
            yield running
        finally:
            await self.stop()
            await asyncio.wait([running], timeout=self.settings.stop_seconds / 2)
            running.cancel()
            await asyncio.wait([running])
            await self.close()

    def _dependencies(self) -> Dependencies:
        return Dependencies(
            settings=self.settings,
            telemetry=self.telemetry,
            health=self.health,
            database=self.database,
            verifier=TokenVerifier(self.settings),
            webhook_credentials=WebhookCredentials(self.settings),
            tool_calls=ToolCallHandler(self.settings, self.telemetry, self.database, self.wake_relay),
            vapi=self.vapi,
            clock_watch=self.clock_watch,
            provisioner=self.provisioner,
            remover=self.remover,
            wake_relay=self.wake_relay,
        )

    async def _claim_database(self) -> UUID:
        await self.database.connect()
        while True:
            try:
                async with self.database.connection() as connection:
                    log_id = await claim_installation(connection, self.settings.installation_id)
            except (DatabaseUnavailable, *TRANSIENT_ERRORS) as error:
                self.health.fails("database", in_one_line(error))
                await asyncio.sleep(self.settings.relay_candidate_seconds)
            else:
                self.health.works("database")
                return log_id

"""The composition: builds every part, starts the loops in an order that can wait, stops them within seconds."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from opentelemetry.sdk.trace.export import SpanExporter

from assistant_api import telemetry
from assistant_api.access_log.counting import AccessCounter
from assistant_api.app.announcer import Announcer
from assistant_api.app.health import new_health, watch
from assistant_api.app.housekeeping import Housekeeping
from assistant_api.app.loops import loops_of
from assistant_api.app.metrics import Meter, metrics
from assistant_api.db import DATABASE_AWAY, Database, claim_installation
from assistant_api.erasures.calls import CallDeletions
from assistant_api.erasures.guard import ErasureGuard
from assistant_api.http.dependencies import Dependencies
from assistant_api.http.routes import tool_calls
from assistant_api.outcomes.handler import OutcomesHandler, new_consumer
from assistant_api.provisioner.blocks import BlockRewrites
from assistant_api.provisioner.loop import Provisioner
from assistant_api.provisioner.step import Steps
from assistant_api.published.marking import Marking
from assistant_api.published.reader import BlueprintReader
from assistant_api.published.view import PublishedView
from assistant_api.relay.loop import Relay
from assistant_api.relay.names import NameCheck
from assistant_api.removals.loop import Remover
from assistant_api.removals.step import RemovalSteps
from assistant_api.removals.sweep import Sweep
from assistant_api.restore.guard import TopicGuard
from assistant_api.settings import Settings
from assistant_api.tool_calls.credentials import WebhookCredentials
from assistant_api.tool_calls.handle import ToolCallHandler
from assistant_api.vapi.accounts import Accounts
from assistant_api.vapi.claims import Claims
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.gauges import Gauges
from zerotouch_platform.limits.middleware import HEALTH, Limits
from zerotouch_platform.limits.refusals import Refusals, export
from zerotouch_platform.loops import Wake, in_one_line
from zerotouch_platform.meters import Meters
from zerotouch_platform.revoked_tokens import RevokedTokens
from zerotouch_platform.supervisor import Loops, Part
from zerotouch_platform.telemetry import start_loop
from zerotouch_platform.token_keys import TokenKeys
from zerotouch_platform.vapi.clock_watch import ClockWatch
from zerotouch_platform.worker import Worker

UNLIMITED: Final = HEALTH | {tool_calls.PATH}
"""Vapi's tool calls are of patients on the phone, of all clinics, with one credential: none is refused (ADR 55)."""


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
        self.token_keys = TokenKeys(settings)
        self.revoked_tokens = RevokedTokens()
        self.telemetry = telemetry.set_up(settings.otel_exporter_otlp_endpoint, exporter=exporter, worker=worker)
        self.database = Database(settings, self.health)
        endpoint = settings.otel_exporter_otlp_endpoint
        self.meters = Meters(telemetry.resource_of(worker), None if endpoint is None else str(endpoint))
        self.meter = Meter(self.meters)
        self.accounts = Accounts(settings, self.database, self.telemetry, self.meter.called)
        self.vapi = self.accounts.platform.vapi
        self.clock_watch = ClockWatch(self.vapi.clock, self.database.now)
        self.metrics: Gauges | None = None
        if worker is None or worker.owns_gauges:
            self.metrics = metrics(self.database, self.meters, self.clock_watch)
        self.access_counter = AccessCounter(self.meters, settings.access_refused_rows_per_minute)
        self.refusals = Refusals()
        export(self.meters, self.refusals)
        self.wake_relay = Wake()
        self._relay: Relay | None = None
        self.guard = TopicGuard(settings, self.database, self.health)
        self.published = PublishedView(self.database)
        self._write_to_vapi()
        self._follow()
        watch(self)
        self.loops: Mapping[str, Part] = loops_of(self)
        self._running = Loops()
        self._stopping = asyncio.Event()
        self.parts = self._dependencies()

    def _write_to_vapi(self) -> None:
        """What makes, changes and deletes at Vapi, unless the guard suspends it."""
        settings, database, claims = self.settings, self.database, Claims(self.accounts, self.settings)

        def suspended() -> bool:
            return self.guard.writes_suspended

        steps = Steps(
            database,
            self.accounts,
            settings,
            self.telemetry,
            self.published,
            behind_seconds=lambda: self.outcomes.behind_seconds(),
        )
        self.provisioner = Provisioner(steps, claims, on_stored=self.wake_relay, writes_suspended=suspended)
        wake = self.provisioner.wake
        removals = RemovalSteps(database, self.accounts, settings, self.telemetry, on_released=wake)
        self.remover = Remover(removals, claims, writes_suspended=suspended)
        self.call_deletions = CallDeletions(database, self.accounts, settings, claims, writes_suspended=suspended)
        self.sweep = Sweep(self.accounts, database, settings, self.remover.wake)
        self.blocks = BlockRewrites(
            database, settings, self.telemetry, self.published, provisioner=wake, writes_suspended=suspended
        )

    def _follow(self) -> None:
        """What reads topics, compares them with the rows, and keeps the rows."""
        settings, database = self.settings, self.database
        self.blueprint_reader = BlueprintReader(settings, database, self.published)
        outcomes = OutcomesHandler(settings, database, self.telemetry, self.provisioner.wake)
        self.outcomes = new_consumer(settings, database, outcomes)
        self.erasure_guard = ErasureGuard(settings, database, self.health, self.call_deletions.wake)
        self.names = NameCheck(settings, database, self.guard, self.wake_relay)
        self.announcer = Announcer(settings, database)
        self.marking = Marking(database)
        self.housekeeping = Housekeeping(settings, database)

    def relay_leads(self) -> bool:
        """Whether it is this process that sends the outbox."""
        return self._relay is not None and self._relay.leads

    async def run_loops(self) -> None:
        """Wait for the database, then run every loop until they are stopped.

        Raises :class:`~zerotouch_platform.postgres.installation.ForeignInstallation`, and
        :class:`~zerotouch_platform.supervisor.LoopEnded` where a loop ends by itself.
        """
        self.erasure_guard.suspend_reads()
        log_id = await self._claim_database()
        self.on_works()
        self._relay = Relay(
            self.settings, self.database, self.telemetry, self.health, log_id, wake=self.wake_relay, guard=self.guard
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
        await self.accounts.close()
        await self.database.close()
        self.meters.close()
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
        verifier = TokenVerifier(self.settings, self.token_keys, self.revoked_tokens)
        return Dependencies(
            settings=self.settings,
            telemetry=self.telemetry,
            health=self.health,
            database=self.database,
            verifier=verifier,
            webhook_credentials=WebhookCredentials(self.settings),
            tool_calls=ToolCallHandler(
                self.settings,
                self.telemetry,
                self.database,
                self.wake_relay,
                self.published,
                self.access_counter.count,
                self.meter.tool_called,
            ),
            accounts=self.accounts,
            clock_watch=self.clock_watch,
            provisioner=self.provisioner,
            remover=self.remover,
            erasure_guard=self.erasure_guard,
            call_deletions=self.call_deletions,
            wake_relay=self.wake_relay,
            access_counter=self.access_counter,
            limits=Limits(
                self.settings,
                verifier,
                self.refusals,
                requests_max=self.settings.http_requests_max,
                unlimited=UNLIMITED,
            ),
        )

    async def _claim_database(self) -> UUID:
        await self.database.connect()
        while True:
            try:
                async with self.database.connection() as connection:
                    log_id = await claim_installation(connection, self.settings.installation_id)
            except DATABASE_AWAY as error:
                self.health.fails("database", in_one_line(error))
                await asyncio.sleep(self.settings.relay_candidate_seconds)
            else:
                self.health.works("database")
                return log_id

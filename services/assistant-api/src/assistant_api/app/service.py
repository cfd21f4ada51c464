"""One process: starts the loops in an order that can wait, stops them within seconds."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from opentelemetry.sdk.trace.export import SpanExporter

from assistant_api.app.composition import Composition
from assistant_api.app.health import watch
from assistant_api.app.loops import loops_of
from assistant_api.db import DATABASE_AWAY, claim_installation
from assistant_api.relay.loop import Relay
from assistant_api.settings import Settings
from zerotouch_platform.loops import in_one_line
from zerotouch_platform.supervisor import Loops, Part
from zerotouch_platform.telemetry import start_loop
from zerotouch_platform.worker import Worker


class Service(Composition):
    """Its parts, and what runs them. ``on_works`` is called when the database answers."""

    def __init__(
        self, settings: Settings, *, exporter: SpanExporter | None = None, worker: Worker | None = None
    ) -> None:
        super().__init__(settings, exporter=exporter, worker=worker)
        self.on_works: Callable[[], None] = lambda: None
        watch(self)
        self.loops: Mapping[str, Part] = loops_of(self)
        self._running = Loops()
        self._stopping = asyncio.Event()
        self.parts = self.dependencies()

    async def run_loops(self) -> None:
        """Wait for the database, then run every loop until they are stopped.

        Raises :class:`~zerotouch_platform.postgres.installation.ForeignInstallation`, and
        :class:`~zerotouch_platform.supervisor.LoopEnded` where a loop ends by itself.
        """
        self.erasure_guard.suspend_reads()
        log_id = await self._claim_database()
        self.on_works()
        self.relay = Relay(
            self.settings, self.database, self.telemetry, self.health, log_id, wake=self.wake_relay, guard=self.guard
        )
        await self.guard.begin(log_id)
        if self._stopping.is_set():  # meanwhile: nobody would stop them
            return
        for name, loop in {**self.loops, "relay": self.relay}.items():
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

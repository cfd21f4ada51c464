"""The loop: claims what is due, runs a step for each, and tells who waits for an agent that something happened."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import structlog

from assistant_api.db import TRANSIENT_ERRORS, Database, DatabaseUnavailable
from assistant_api.provisioner.claim import Claimed, claim
from assistant_api.provisioner.step import Steps
from assistant_api.settings import Settings
from zerotouch_platform.cooperative import ITEMS_AT_ONCE, yielding_every
from zerotouch_platform.loops import Wake, in_one_line, pause

Key = tuple[UUID, str]

REFILL_STEPS: Final = 25

_log: Final = structlog.get_logger()

_RELEASE: Final = "UPDATE agents SET lease_token = NULL, lease_until = NULL WHERE lease_token = ANY($1::uuid[])"


class Provisioner:
    """Runs steps, at most `provision_concurrency_max` at a time. ``on_stored`` is called after each.

    ``writes_suspended``: true while nothing may be written to Vapi.
    """

    def __init__(
        self,
        steps: Steps,
        database: Database,
        settings: Settings,
        *,
        on_stored: Callable[[], None] = lambda: None,
        writes_suspended: Callable[[], bool] = lambda: False,
    ) -> None:
        self._steps, self._database, self._settings = steps, database, settings
        self._on_stored, self._writes_suspended = on_stored, writes_suspended
        self._running: dict[asyncio.Task[None], Claimed] = {}
        self._waiting: defaultdict[Key, set[asyncio.Event]] = defaultdict(set)
        self.waits_ended = False
        self.wake: Final = Wake()

    async def run_once(self) -> int:
        """Claim what is due and start a step for each; how many. Returns before they have ended: see `drain`."""
        free = self._settings.provision_concurrency_max - len(self._running)
        if free <= 0 or self._writes_suspended():
            return 0
        reserved = self._settings.provision_reserved_for_saves
        async with self._database.connection() as connection:

            async def take(limit: int) -> Sequence[Claimed]:
                lease_seconds = self._settings.lease_seconds
                return await claim(connection, limit=limit, lease_seconds=lease_seconds, with_bulk=free > reserved)

            agents = await self._steps.vapi.key.claim(connection, free if free <= reserved else free - reserved, take)
        async for agent in yielding_every(ITEMS_AT_ONCE, agents):
            task = asyncio.create_task(self._step(agent), name=f"provision {agent.agent_id}")
            self._running[task] = agent
            task.add_done_callback(self._ended)
        return len(agents)

    async def drain(self) -> None:
        """Return when the steps that run now have ended."""
        if self._running:
            await asyncio.wait(list(self._running))

    async def finish(self, timeout_seconds: float) -> None:
        """Let the steps end, cut off those that do not and give their leases back. Nothing may be taken any more.

        A write that is cut off stays an open attempt in its row: the next process settles it.
        """
        self.end_waits()
        if self._running:
            await asyncio.wait(list(self._running), timeout=timeout_seconds)
        cut_off = dict(self._running)
        for task in cut_off:
            task.cancel()
        if cut_off:
            await asyncio.wait(list(cut_off), timeout=timeout_seconds)
            try:
                async with self._database.connection() as connection:
                    await connection.execute(_RELEASE, [agent.token for agent in cut_off.values()])
            except (DatabaseUnavailable, *TRANSIENT_ERRORS) as error:
                _log.warning("stop_incomplete", reason=in_one_line(error))

    async def something_happened(self, key: Key, timeout_seconds: float) -> None:
        """Return when a step for this agent has ended here, at the latest after ``timeout_seconds``.

        Another replica may be the one to run the step, so the caller looks at the row either way.
        """
        event = asyncio.Event()
        self._waiting[key].add(event)
        try:
            await pause(event, timeout_seconds)
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    def end_waits(self) -> None:
        """Let whoever waits answer with what is known: the process is about to stop."""
        self.waits_ended = True
        for key in list(self._waiting):
            self._tell(key)

    async def _step(self, agent: Claimed) -> None:
        try:
            await self._steps.run(agent)
        except (DatabaseUnavailable, *TRANSIENT_ERRORS) as error:
            # The lease runs out by itself, and an attempt that was begun is in the row.
            _log.warning("provisioning_interrupted", agent_id=agent.agent_id, reason=in_one_line(error))
        except Exception:
            # One agent's bug must not end the others' work. The lease is the back-off: it is kept until it runs out.
            _log.exception("provisioning_failed", org_id=str(agent.org_id), agent_id=agent.agent_id)
        finally:
            self._tell((agent.org_id, agent.agent_id))
            self._on_stored()

    def _tell(self, key: Key) -> None:
        for event in self._waiting.get(key, ()):
            event.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        agent = self._running.pop(task)
        # Bulk work refills many places with one claim; a newer save of this agent that a client waits for goes at once.
        if (agent.org_id, agent.agent_id) in self._waiting or len(self._running) % REFILL_STEPS == 0:
            self.wake()

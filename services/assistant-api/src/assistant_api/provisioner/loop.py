"""The loop: claims what is due, runs a step for each, and tells who waits for an agent that something happened."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import structlog

from assistant_api.db import DATABASE_AWAY, Connection
from assistant_api.provisioner.claim import CLAIM_BULK, CLAIM_SAVES, Claimed, InTurns
from assistant_api.provisioner.step import Steps
from assistant_api.vapi.claims import Claims, Clinics
from zerotouch_platform.cooperative import ITEMS_AT_ONCE, yielding_every
from zerotouch_platform.limits.identity import key_of
from zerotouch_platform.loops import Wake, in_one_line, pause
from zerotouch_platform.turns import owner_now

Key = tuple[UUID, str]

REFILL_STEPS: Final = 4

_log: Final = structlog.get_logger()

_GIVE_BACK: Final = """
UPDATE agents a SET lease_token = NULL, lease_until = NULL, next_due = now() + interval '1 second'
FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS given (org_id, id, token)
WHERE a.org_id = given.org_id AND a.id = given.id AND a.lease_token = given.token
"""
_RELEASE: Final = "UPDATE agents SET lease_token = NULL, lease_until = NULL WHERE lease_token = ANY($1::uuid[])"


class Provisioner:
    """Runs steps, at most `provision_concurrency_max` at a time. ``on_stored`` is called after each.

    ``writes_suspended``: true while nothing may be written to Vapi.
    """

    def __init__(
        self, steps: Steps, claims: Claims, *, on_stored: Callable[[], None], writes_suspended: Callable[[], bool]
    ) -> None:
        settings = steps.settings
        self._steps, self._database, self._settings = steps, steps.database, settings
        self._claims, self._on_stored, self._writes_suspended = claims, on_stored, writes_suspended
        self._running: dict[asyncio.Task[None], Claimed] = {}
        self._saves = InTurns(
            CLAIM_SAVES,
            per_org_max=settings.provision_concurrency_max - settings.provision_reserved_for_saves,
            lease_seconds=settings.lease_seconds,
        )
        self._bulk = InTurns(
            CLAIM_BULK, per_org_max=settings.provision_bulk_of_one_max, lease_seconds=settings.lease_seconds
        )
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

            async def take(limit: int, clinics: Clinics) -> Sequence[Claimed]:
                running = Counter(agent.org_id for agent in self._running.values())
                claimed = await self._saves.claim(connection, limit, running, clinics)
                if free <= reserved or len(claimed) == limit:
                    return claimed
                running = Counter(agent.org_id for agent in self._running.values() if agent.bulk)
                return [*claimed, *await self._bulk.claim(connection, limit - len(claimed), running, clinics)]

            agents = await self._claims.of(connection, free if free <= reserved else free - reserved, take)
            agents = await self._within_accounts(connection, agents)
        async for agent in yielding_every(ITEMS_AT_ONCE, agents):
            task = asyncio.create_task(self._step(agent), name=f"provision {agent.agent_id}")
            self._running[task] = agent
            task.add_done_callback(self._ended)
        return len(agents)

    async def _within_accounts(self, connection: Connection, agents: Sequence[Claimed]) -> Sequence[Claimed]:
        """Those for whom their account has a place; what is beyond its places is given back for a moment.

        An own account that does not answer keeps each of its places for seconds, whichever clinics share it.
        """
        places = Counter(agent.vapi_account for agent in self._running.values())
        kept: list[Claimed] = []
        surplus: list[Claimed] = []
        for agent in agents:
            is_full = places[agent.vapi_account] >= self._settings.vapi_account_places_max
            if is_full and self._steps.accounts.is_own(agent.vapi_account):
                surplus.append(agent)
            else:
                places[agent.vapi_account] += 1
                kept.append(agent)
        if surplus:
            keys = [agent.org_id for agent in surplus], [agent.agent_id for agent in surplus]
            await connection.execute(_GIVE_BACK, *keys, [agent.token for agent in surplus])
        return kept

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
            except DATABASE_AWAY as error:
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
        owner_now.set(key_of(agent.org_id))  # as its requests are: of this task alone
        try:
            await self._steps.run(agent)
        except DATABASE_AWAY as error:
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

"""The reconciler's store (its log is :mod:`.log`), with time before and after each effect.

Before the effect a process may die (nothing happened), after it too (it happened, and nobody knows).
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Any
from uuid import UUID

from tool_sync.domain.events import ToolRef, ids_of
from tool_sync.domain.reach import NamedTool
from tool_sync.domain.toolset import Assistant
from tool_sync.sync.leases import NO_ROOMS, Claim, Release
from tool_sync.sync.lost_tools import Listed
from tool_sync.vapi.failures import VapiFailure

from .checks import Checks
from .clinic import FOREIGN_TOOL
from .database import Database, Lease, seconds_of, time_of
from .faults import Faults
from .process import process_of_current_task

FAST_SECONDS = 0.002
NAMED_SECONDS = 24 * 3600.0
LATEST = datetime.max.replace(tzinfo=UTC)


class Ports:
    """What both ports share: the database, time, faults, and whoever watches."""

    def __init__(self, database: Database, faults: Faults, checks: Checks) -> None:
        self.database, self.faults, self.checks = database, faults, checks
        self.ids = Random(f"ids {faults.plan.seed}")

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return asyncio.get_running_loop().time()

    def new_id(self) -> UUID:
        """A random id, the same in a replay."""
        return UUID(int=self.ids.getrandbits(128), version=4)

    async def on_the_way(self) -> None:
        """The time of half a round trip."""
        await asyncio.sleep(FAST_SECONDS * (0.5 + self.faults.random.random() if self.faults.chance else 1.0))


class SimStore(Ports):
    """Leases, rows of assistants, and what was read of foreign tools."""

    def __init__(self, database: Database, faults: Faults, checks: Checks) -> None:
        super().__init__(database, faults, checks)
        self.named: dict[str, tuple[float, NamedTool]] = {}
        self.forget_named()
        self.on_claim: Callable[[UUID], None] = lambda _org_id: None
        self.on_release: Callable[[UUID], None] = lambda _org_id: None

    async def claim(
        self,
        orgs_max: int,
        lease_seconds: float,
        *,
        bulk_max: int | None = None,
        own_max: int | None = None,
        own_rooms: Mapping[str, int] = NO_ROOMS,
    ) -> tuple[list[Claim], datetime | None]:
        """See `tool_sync.sync.leases.claim`. Nobody has an account of its own here."""
        await self._away()
        now, claims = self.now, []
        for org_id, is_bulk in self.database.due(now, bulk_max)[:orgs_max]:
            lease = self.database.leases.setdefault(org_id, Lease())
            lease.token, lease.until = self.new_id(), now + lease_seconds
            lease.next_due, lease.holder = now, process_of_current_task()
            claims.append(Claim(org_id, lease.token, is_bulk))
            self.on_claim(org_id)
        await self.on_the_way()
        return claims, time_of(now) if claims else None

    async def renew(self, claims: Sequence[Claim], lease_seconds: float) -> frozenset[UUID]:
        """See `tool_sync.sync.leases.renew`."""
        await self._away()
        now, ours = self.now, set()
        for claim in claims:
            lease = self.database.leases[claim.org_id]
            if lease.token == claim.token and lease.until is not None and lease.until > now:
                lease.until = now + lease_seconds
                ours.add(claim.org_id)
        await self.on_the_way()
        if len(ours) < len(claims):
            self.checks.reached["lease lost"] += 1
        return frozenset(ours)

    async def release(self, releases: Sequence[Release]) -> None:
        """See `tool_sync.sync.leases.release`."""
        await self._away()
        for release in releases:
            lease = self.database.leases[release.claim.org_id]
            if lease.token == release.claim.token and lease.until is not None and lease.until > self.now:
                aside = release.aside > timedelta()
                lease.token = None
                lease.until = self.now + release.aside.total_seconds() if aside else None
                lease.processed_position = max(lease.processed_position, release.processed_position)
                lease.next_due = None if release.next_due is None else seconds_of(release.next_due)
                if lease.dirty_position > release.processed_position:
                    lease.next_due = self.now if lease.next_due is None else min(self.now, lease.next_due)
                self.on_release(release.claim.org_id)
        await self.on_the_way()

    async def assistants(self, agents: Sequence[tuple[UUID, str]]) -> dict[UUID, dict[str, Assistant]]:
        """See `tool_sync.sync.rows.by_agent`."""
        await self._away()
        found: dict[UUID, dict[str, Assistant]] = {}
        for org_id, agent_id in agents:
            if (row := self.database.assistants.get(org_id, {}).get(agent_id)) is not None:
                found.setdefault(org_id, {})[agent_id] = row
        await self.on_the_way()
        return found

    async def not_as_wanted(
        self, org_id: UUID, wanted: Sequence[ToolRef], without: Iterable[str], limit: int, none_wanted: str | None
    ) -> tuple[dict[str, Assistant], bool]:
        """See `tool_sync.sync.rows.not_as_wanted`."""
        await self._away()
        rows, left_out, target = self.database.assistants.get(org_id, {}), set(without), ids_of(wanted)
        there = {agent_id: row for agent_id, row in sorted(rows.items()) if not row.removed}
        found = (
            (agent_id, row)
            for agent_id, row in there.items()
            if agent_id not in left_out
            and (ids_of(row.synced) != target or row.failed or (not target and row.code != none_wanted))
        )
        answer = dict(islice(found, limit))
        await self.on_the_way()
        return answer, bool(there)

    async def named_tools(self, account: str, ids: Sequence[str]) -> Mapping[str, NamedTool]:
        """See `PostgresStore.named_tools`."""
        assert account
        await self._away()
        fresh = self.now - NAMED_SECONDS
        found = {
            one: self.named[one][1]
            for one in ids
            if one in self.named and (self.named[one][0] >= fresh or one == FOREIGN_TOOL)
        }
        await self.on_the_way()
        return found

    async def keep_named_tools(self, account: str, tools: Sequence[NamedTool]) -> None:
        """See `PostgresStore.keep_named_tools`."""
        assert account
        await self._away()
        self.named |= {tool.vapi_tool_id: (self.now, tool) for tool in tools}
        await self.on_the_way()

    def forget_named(self) -> None:
        """What was read before a restore says nothing of what Vapi has now."""
        self.named = {FOREIGN_TOOL: (0.0, NamedTool(FOREIGN_TOOL, exists=True))}

    async def lost_tools(self, account: str, org_id: UUID, name: str) -> Sequence[str]:
        """See `tool_sync.sync.lost_tools`. No time passes where nothing was restored: old seeds have none."""
        if not self.database.lost_tools:
            return ()
        await self._away()
        found = [
            tool
            for tool in self.database.lost_tools
            if (tool.account, tool.org_id, tool.name) == (account, org_id, name)
        ]
        await self.on_the_way()
        found.sort(key=lambda tool: (tool.created_at or LATEST, tool.vapi_tool_id))
        return [tool.vapi_tool_id for tool in found]

    async def listed_tools(self, account: str, org_id: UUID) -> Listed | None:
        """See `tool_sync.sync.lost_tools`."""
        if not self.database.lost_tools:
            return None
        await self._away()
        mine = [tool for tool in self.database.lost_tools if (tool.account, tool.org_id) == (account, org_id)]
        await self.on_the_way()
        mine.sort(key=lambda tool: (tool.created_at or LATEST, tool.vapi_tool_id))
        ids: dict[str, list[str]] = {}
        for tool in mine:
            ids.setdefault(tool.name, []).append(tool.vapi_tool_id)
        return Listed(time_of(self.database.forked_at), ids) if mine else None

    async def texts(self, org_id: UUID, hashes: Sequence[str]) -> Mapping[str, Any]:
        """See `tool_sync.sync.texts`."""
        await self._away()
        await self.on_the_way()
        stored = self.database.texts.get(org_id, {})
        return {one: stored[one] for one in hashes if one in stored}

    async def keep_words(
        self, failure: VapiFailure, *, org_id: UUID, agent_id: str | None, trace_id: str | None
    ) -> None:
        """What Vapi said is for people, and nothing that the loop ever reads."""
        await self.on_the_way()

    async def _away(self) -> None:
        await self.on_the_way()
        if self.faults.hits("store_away"):
            raise ConnectionResetError("simulated: the database is away")

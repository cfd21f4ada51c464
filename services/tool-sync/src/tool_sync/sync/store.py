"""What the loop asks of the database beside the log: leases, and the rows of the projection `assistants`.

There are two: PostgreSQL, and that of the simulation (`tests/simulation`), which keeps the same promises in memory and
on virtual time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from tool_sync.db import Pool
from tool_sync.domain.events import ToolRef
from tool_sync.domain.reach import NamedTool
from tool_sync.domain.toolset import Assistant
from tool_sync.log import AppendRejected, AppendRequest, AppendResult, LoadedAll, Snapshot
from tool_sync.sync import leases, named_tools, rows
from tool_sync.sync.leases import Claim, Release
from tool_sync.sync.lost_tools import LostTools
from tool_sync.vapi import words
from tool_sync.vapi.failures import VapiFailure

Assistants = dict[UUID, dict[str, Assistant]]
"""By org and agent."""


class Log(Protocol):
    """The part of :class:`~tool_sync.log.EventLog` that the reconciler uses."""

    async def append(self, request: AppendRequest) -> AppendResult:
        """Store a request's events, all or none."""
        ...

    async def append_all(self, requests: Sequence[AppendRequest]) -> Sequence[AppendResult | AppendRejected]:
        """Store requests in their order, each for itself."""
        ...

    async def load(self, org_ids: Sequence[UUID], *, fold: int, fleet_after: int) -> LoadedAll:
        """Snapshot and events of orgs, and the fleet's events after a position, as of one moment."""
        ...

    async def save_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """Keep snapshots."""
        ...


class Store(Protocol):
    """Leases (see :mod:`tool_sync.sync.leases`) and rows of assistants (see :mod:`tool_sync.sync.rows`)."""

    async def claim(self, orgs_max: int, lease_seconds: float) -> tuple[list[Claim], datetime | None]:
        """Claim orgs that are due; also the database's time, where there was one."""
        ...

    async def renew(self, claims: Sequence[Claim], lease_seconds: float) -> frozenset[UUID]:
        """Extend leases; the orgs that are still ours."""
        ...

    async def release(self, releases: Sequence[Release]) -> None:
        """Give orgs back."""
        ...

    async def assistants(self, agents: Sequence[tuple[UUID, str]]) -> Assistants:
        """The rows of these (org, agent) pairs."""
        ...

    async def not_as_wanted(
        self, org_id: UUID, wanted: Sequence[ToolRef], without: Iterable[str], limit: int, none_wanted: str | None
    ) -> tuple[dict[str, Assistant], bool]:
        """Assistants whose newest outcome did not name exactly these tools; and whether the org has any assistant."""
        ...

    async def named_tools(self, account: str, ids: Sequence[str]) -> Mapping[str, NamedTool]:
        """What was read within the last day of tools that are in no log of ours, by id."""
        ...

    async def keep_named_tools(self, account: str, tools: Sequence[NamedTool]) -> None:
        """Remember what was just read."""
        ...

    async def lost_tools(self, account: str, org_id: UUID, name: str) -> Sequence[str]:
        """Ids of an org's tools of this name that were made after a backup that the log was restored from."""
        ...

    async def keep_words(
        self, failure: VapiFailure, *, org_id: UUID, agent_id: str | None, trace_id: str | None
    ) -> None:
        """Keep what Vapi said for the clinic; never raises for a database that is away."""
        ...


@dataclass(frozen=True, slots=True)
class PostgresStore:
    """One statement each, on a connection of the pool."""

    pool: Pool
    lost: LostTools = field(default_factory=LostTools)
    start: leases.Start = field(default_factory=leases.Start)

    async def claim(self, orgs_max: int, lease_seconds: float) -> tuple[list[Claim], datetime | None]:
        """See `leases.claim`."""
        return await leases.claim(self.pool, orgs_max, lease_seconds, self.start)

    async def renew(self, claims: Sequence[Claim], lease_seconds: float) -> frozenset[UUID]:
        """See `leases.renew`."""
        return await leases.renew(self.pool, claims, lease_seconds)

    async def release(self, releases: Sequence[Release]) -> None:
        """See `leases.release`."""
        await leases.release(self.pool, releases)

    async def assistants(self, agents: Sequence[tuple[UUID, str]]) -> Assistants:
        """See `rows.by_agent`."""
        return await rows.by_agent(self.pool, agents)

    async def not_as_wanted(
        self, org_id: UUID, wanted: Sequence[ToolRef], without: Iterable[str], limit: int, none_wanted: str | None
    ) -> tuple[dict[str, Assistant], bool]:
        """See `rows.not_as_wanted`."""
        return await rows.not_as_wanted(self.pool, org_id, wanted, without, limit, none_wanted)

    async def named_tools(self, account: str, ids: Sequence[str]) -> Mapping[str, NamedTool]:
        """See `named_tools.read`."""
        return await named_tools.read(self.pool, account, ids)

    async def keep_named_tools(self, account: str, tools: Sequence[NamedTool]) -> None:
        """See `named_tools.keep`."""
        await named_tools.keep(self.pool, account, tools)

    async def lost_tools(self, account: str, org_id: UUID, name: str) -> Sequence[str]:
        """See `lost_tools.LostTools`."""
        return await self.lost.read(self.pool, account, org_id, name)

    async def keep_words(
        self, failure: VapiFailure, *, org_id: UUID, agent_id: str | None, trace_id: str | None
    ) -> None:
        """See `vapi.words.keep_words`."""
        await words.keep_words(self.pool, failure, org_id=org_id, agent_id=agent_id, trace_id=trace_id)

"""What the loop asks of the database beside the log: leases, and the rows of the projection `assistants`.

There are two: PostgreSQL, and that of the simulation (`tests/simulation`), which keeps the same promises in memory and
on virtual time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from tool_sync import leases
from tool_sync.codec import UnknownEvent
from tool_sync.db import Pool
from tool_sync.domain.events import ToolRef
from tool_sync.domain.toolset import Assistant
from tool_sync.event_log import AppendRequest, AppendResult, Loaded, Snapshot
from tool_sync.leases import Claim, Release
from tool_sync.reconciler import rows

Assistants = dict[UUID, dict[str, Assistant]]
"""By org and agent."""


class Log(Protocol):
    """The part of :class:`~tool_sync.event_log.EventLog` that the reconciler uses."""

    async def append(self, request: AppendRequest) -> AppendResult:
        """Store a request's events, all or none."""
        ...

    async def load(self, org_ids: Sequence[UUID], *, fold: int) -> Mapping[UUID, Loaded | UnknownEvent]:
        """Snapshot and events of orgs, as of one moment."""
        ...

    async def save_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """Keep snapshots."""
        ...


class Store(Protocol):
    """Leases (see :mod:`tool_sync.leases`) and rows of assistants (see :mod:`tool_sync.reconciler.rows`)."""

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
        self, org_id: UUID, wanted: Sequence[ToolRef], without: Iterable[str], limit: int
    ) -> tuple[dict[str, Assistant], bool]:
        """Assistants whose newest outcome did not name exactly these tools; and whether the org has any assistant."""
        ...


@dataclass(frozen=True, slots=True)
class PostgresStore:
    """One statement each, on a connection of the pool."""

    pool: Pool

    async def claim(self, orgs_max: int, lease_seconds: float) -> tuple[list[Claim], datetime | None]:
        """See `leases.claim`."""
        return await leases.claim(self.pool, orgs_max, lease_seconds)

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
        self, org_id: UUID, wanted: Sequence[ToolRef], without: Iterable[str], limit: int
    ) -> tuple[dict[str, Assistant], bool]:
        """See `rows.not_as_wanted`."""
        return await rows.not_as_wanted(self.pool, org_id, wanted, without, limit)

"""What the loop and whoever writes about the fleet use of a log.

There are two: :class:`~tool_sync.log.EventLog`, and that of the simulation, which keeps the same promises in memory.
"""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from tool_sync.log.errors import AppendRejected
from tool_sync.log.load import LoadedAll, Snapshot
from tool_sync.log.records import AppendRequest, AppendResult


class Log(Protocol):
    """Append, load, and keep snapshots."""

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

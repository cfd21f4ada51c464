"""What the loop asks of the database beside the log: leases, and the rows of the projection `assistants`.

There are two: PostgreSQL, and that of the simulation (`tests/simulation`), which keeps the same promises in memory and
on virtual time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from tool_sync.db import Pool
from tool_sync.domain.events import ToolRef
from tool_sync.domain.reach import NamedTool
from tool_sync.domain.toolset import Assistant
from tool_sync.publishing.overlay import Texts
from tool_sync.sync import leases, rows, texts
from tool_sync.sync.leases import NO_ROOMS, Claim, Release
from tool_sync.sync.lost_tools import Listed, LostTools
from tool_sync.vapi import words
from tool_sync.vapi.failures import VapiFailure

Assistants = dict[UUID, dict[str, Assistant]]
"""By org and agent."""


class Store(Protocol):
    """Leases (see :mod:`tool_sync.sync.leases`) and rows of assistants (see :mod:`tool_sync.sync.rows`)."""

    async def claim(
        self,
        orgs_max: int,
        lease_seconds: float,
        *,
        bulk_max: int | None = None,
        own_max: int | None = None,
        own_rooms: Mapping[str, int] = NO_ROOMS,
    ) -> tuple[list[Claim], datetime | None]:
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
        """What was read within the last day of tools that are in no log of ours, by id.

        A tool of Vapi's says by itself what it is, so this belongs to the account and not to an org: the same foreign
        tool on a hundred assistants is read once a day.
        """
        ...

    async def keep_named_tools(self, account: str, tools: Sequence[NamedTool]) -> None:
        """Remember what was just read, and forget what is old. Each id once."""
        ...

    async def lost_tools(self, account: str, org_id: UUID, name: str) -> Sequence[str]:
        """Ids of an org's tools of this name that were made after a backup that the log was restored from."""
        ...

    async def listed_tools(self, account: str, org_id: UUID) -> Listed | None:
        """All of an org's tools that were listed after a restore; None where there are none."""
        ...

    async def texts(self, org_id: UUID, hashes: Sequence[str]) -> Texts:
        """An org's own words for its tools, by hash; without those that are not stored."""
        ...

    async def keep_words(
        self, failure: VapiFailure, *, org_id: UUID, agent_id: str | None, trace_id: str | None
    ) -> None:
        """Keep what Vapi said for the clinic; never raises for a database that is away."""
        ...


NAMED_GOOD_FOR: Final = timedelta(days=1)

_NAMED: Final = """
SELECT vapi_tool_id, present, name, installation_id, org_id
  FROM named_tools WHERE account = $1 AND vapi_tool_id = ANY ($2::text[]) AND read_at > clock_timestamp() - $3::interval
"""
_KEEP_NAMED: Final = """
WITH old AS (DELETE FROM named_tools
              WHERE read_at < clock_timestamp() - 2 * $7::interval AND vapi_tool_id <> ALL ($2::text[]))
INSERT INTO named_tools (account, vapi_tool_id, present, name, installation_id, org_id)
SELECT $1, * FROM unnest($2::text[], $3::boolean[], $4::text[], $5::uuid[], $6::uuid[])
ON CONFLICT (account, vapi_tool_id) DO UPDATE
   SET present = excluded.present, name = excluded.name, installation_id = excluded.installation_id,
       org_id = excluded.org_id, read_at = excluded.read_at
"""


@dataclass(frozen=True, slots=True)
class PostgresStore:
    """One statement each, on a connection of the pool; but for named tools', modules hold them."""

    pool: Pool
    lost: LostTools = field(default_factory=LostTools)
    start: leases.Start = field(default_factory=leases.Start)

    async def claim(
        self,
        orgs_max: int,
        lease_seconds: float,
        *,
        bulk_max: int | None = None,
        own_max: int | None = None,
        own_rooms: Mapping[str, int] = NO_ROOMS,
    ) -> tuple[list[Claim], datetime | None]:
        return await leases.claim(
            self.pool, orgs_max, lease_seconds, self.start, bulk_max=bulk_max, own_max=own_max, own_rooms=own_rooms
        )

    async def renew(self, claims: Sequence[Claim], lease_seconds: float) -> frozenset[UUID]:
        return await leases.renew(self.pool, claims, lease_seconds)

    async def release(self, releases: Sequence[Release]) -> None:
        await leases.release(self.pool, releases)

    async def assistants(self, agents: Sequence[tuple[UUID, str]]) -> Assistants:
        return await rows.by_agent(self.pool, agents)

    async def not_as_wanted(
        self, org_id: UUID, wanted: Sequence[ToolRef], without: Iterable[str], limit: int, none_wanted: str | None
    ) -> tuple[dict[str, Assistant], bool]:
        return await rows.not_as_wanted(self.pool, org_id, wanted, without, limit, none_wanted)

    async def named_tools(self, account: str, ids: Sequence[str]) -> Mapping[str, NamedTool]:
        found = await self.pool.fetch(_NAMED, account, list(ids), NAMED_GOOD_FOR)
        return {row["vapi_tool_id"]: NamedTool(*row) for row in found}

    async def keep_named_tools(self, account: str, tools: Sequence[NamedTool]) -> None:
        # One order for all, or two processes wait in a circle.
        tools = sorted(tools, key=lambda tool: tool.vapi_tool_id)
        await self.pool.execute(
            _KEEP_NAMED,
            account,
            [tool.vapi_tool_id for tool in tools],
            [tool.exists for tool in tools],
            [tool.name for tool in tools],
            [tool.installation_id for tool in tools],
            [tool.org_id for tool in tools],
            NAMED_GOOD_FOR,
        )

    async def lost_tools(self, account: str, org_id: UUID, name: str) -> Sequence[str]:
        return await self.lost.read(self.pool, account, org_id, name)

    async def listed_tools(self, account: str, org_id: UUID) -> Listed | None:
        return await self.lost.listed(self.pool, account, org_id)

    async def texts(self, org_id: UUID, hashes: Sequence[str]) -> Texts:
        return await texts.read(self.pool, org_id, hashes)

    async def keep_words(
        self, failure: VapiFailure, *, org_id: UUID, agent_id: str | None, trace_id: str | None
    ) -> None:
        await words.keep_words(self.pool, failure, org_id=org_id, agent_id=agent_id, trace_id=trace_id)

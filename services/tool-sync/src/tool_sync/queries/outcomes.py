"""The outcomes that are told: the newest ones, and how many came when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tool_sync.db import Connection

# As the index says it.
_TOLD: Final = "type IN ('AssistantSynced', 'AssistantSyncFailed') AND (data ->> 'sequence') IS NOT NULL"
_NEWEST: Final = f"""
SELECT position, recorded_at AS at, org_id, data ->> 'agent_id' AS agent_id, type = 'AssistantSyncFailed' AS is_failure,
       data ->> 'code' AS code, jsonb_array_length(data -> 'tools') AS tools
  FROM events WHERE {_TOLD} ORDER BY recorded_at DESC, position DESC LIMIT $1
"""  # noqa: S608 - made of constants
_WHEN: Final = f"""
SELECT date_bin($2::interval, recorded_at, 'epoch') AS at, type = 'AssistantSyncFailed' AS is_failure, count(*) AS count
  FROM events WHERE {_TOLD} AND recorded_at >= $1 GROUP BY 1, 2
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Outcome:
    """``tools`` of ours are linked. ``agent_id`` is null where the save could not be read."""

    position: int
    at: datetime
    org_id: UUID
    agent_id: str | None
    is_failure: bool
    code: str | None
    tools: int


@dataclass(frozen=True, slots=True)
class OutcomeTimes:
    """How many outcomes came in each bin, by its beginning; a bin without any is in neither."""

    synced: dict[datetime, int]
    failed: dict[datetime, int]


async def newest_outcomes(connection: Connection, limit: int) -> list[Outcome]:
    """At most ``limit``, the newest first."""
    return [Outcome(**dict(row)) for row in await connection.fetch(_NEWEST, limit)]


async def outcome_times(connection: Connection, since: datetime, bin_length: timedelta) -> OutcomeTimes:
    """From ``since`` on; reads that part of an index, and no event."""
    found = OutcomeTimes({}, {})
    for row in await connection.fetch(_WHEN, since, bin_length):
        (found.failed if row["is_failure"] else found.synced)[row["at"]] = row["count"]
    return found

"""Which tools an org has, or had at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from tool_sync.db import Connection
from tool_sync.queries.as_of import place_of
from tool_sync.queries.display_names import name_of
from tool_sync.queries.tool_settings import ToolSetting, settings_at

# One statement, so one snapshot: the tools are those as of the position that is named beside them.
_TOOLS: Final = """
SELECT coalesce((SELECT max(e.position) FROM events e WHERE e.org_id = o.id), o.position) AS as_of_position,
       t.id, t.tool_name, t.vapi_tool_id, t.enabled, t.account AS vapi_account, t.definition_version,
       t.created_at, t.updated_at, t.position
  FROM organizations o
  LEFT JOIN org_tools t ON t.org_id = o.id
 WHERE o.id = $1
 ORDER BY t.tool_name
"""

# What `fold_org_tools` would have made of the org's events up to a position; a test holds the two together.
_TOOLS_AT: Final = """
SELECT DISTINCT ON (data ->> 'name')
       min(position) OVER tool AS id, data ->> 'name' AS tool_name, data ->> 'vapi_tool_id' AS vapi_tool_id,
       type IN ('ToolRegistered', 'ToolUpdated', 'ToolReinstated') AS enabled, data ->> 'account' AS vapi_account,
       (data ->> 'definition_version')::int AS definition_version,
       min(recorded_at) OVER tool AS created_at, recorded_at AS updated_at, position
  FROM events
 WHERE org_id = $1 AND position <= $2
   AND type IN ('ToolRegistered', 'ToolUpdated', 'ToolVanished', 'ToolRetired', 'ToolReinstated', 'ToolDeleted')
WINDOW tool AS (PARTITION BY data ->> 'name')
 ORDER BY data ->> 'name', position DESC
"""


@dataclass(frozen=True, slots=True)
class OrgTool:
    """A row of ``org_tools``; ``position`` is that of the event that last changed it."""

    id: int
    tool_name: str
    vapi_tool_id: str
    enabled: bool
    vapi_account: str
    definition_version: int
    created_at: datetime
    updated_at: datetime
    position: int


@dataclass(frozen=True, slots=True)
class OrgTools:
    """An org's tools, by name, as of its newest event then, at ``as_of_position``.

    ``name`` is what the org is called now, its id where nobody has said. ``settings`` are what is set for its tools,
    also for those that it does not have; taken back ones are among them.
    """

    as_of_position: int
    name: str
    tools: tuple[OrgTool, ...]
    settings: tuple[ToolSetting, ...] = ()


async def tools_of(connection: Connection, org_id: UUID) -> OrgTools | None:
    """The org's tools, or None where the org is not known (to this role)."""
    rows = await connection.fetch(_TOOLS, org_id)
    if not rows:
        return None
    position = rows[0]["as_of_position"]
    settings = await settings_at(connection, org_id, position)  # not what was set since the statement above
    return OrgTools(
        position, await name_of(connection, org_id), _tools(row for row in rows if row["id"] is not None), settings
    )


async def tools_at(connection: Connection, org_id: UUID, at: datetime) -> OrgTools:
    """The org's tools as they were. Raises `BeforeFirstEvent`, also for an org that is not known."""
    place = await place_of(connection, org_id, at)
    tools = _tools(await connection.fetch(_TOOLS_AT, org_id, place.position))
    name = await name_of(connection, org_id)
    return OrgTools(place.position, name, tools, await settings_at(connection, org_id, place.position))


def _tools(rows: Iterable[asyncpg.Record]) -> tuple[OrgTool, ...]:
    return tuple(OrgTool(**{name: value for name, value in row.items() if name != "as_of_position"}) for row in rows)

"""What every assistant has, as of a position: for subscribers that begin there and go on with the feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

import asyncpg

from tool_sync.db import Connection

# One statement, so one snapshot: the rows are those as of the position that is named beside them. The projection is
# folded by every append, so the log's newest position is the rows' own; a tenant sees its own org's.
_PAGE: Final = """
SELECT p.position AS as_of_position, a.*
  FROM (SELECT coalesce(max(position), 0) AS position FROM events{of_org}) p
  LEFT JOIN LATERAL (
    SELECT org_id, agent_id, coalesce(settled_assistant_id, assistant_id) AS assistant_id,
           settled_revision AS revision, outcome, code, synced_tools AS tools
      FROM assistants
     WHERE (org_id, agent_id) > ($1, $2) AND outcome IS NOT NULL{and_org}
     ORDER BY org_id, agent_id
     LIMIT $3) a ON true
 ORDER BY a.org_id, a.agent_id
"""
_PAGE_OF_ALL: Final = _PAGE.format(of_org="", and_org="")
_PAGE_OF_ORG: Final = _PAGE.format(of_org=" WHERE org_id = $4", and_org=" AND org_id = $4")


@dataclass(frozen=True, slots=True)
class LinkedTool:
    """A tool that the assistant has."""

    name: str
    vapi_tool_id: str
    definition_version: int


@dataclass(frozen=True, slots=True)
class AssistantTools:
    """What the newest outcome said of an assistant. ``code`` says why tools are missing; null where none are."""

    org_id: UUID
    agent_id: str
    assistant_id: str | None
    revision: int | None
    outcome: Literal["synced", "failed"]
    code: str | None
    tools: tuple[LinkedTool, ...]


async def snapshot_page(
    connection: Connection, org_id: UUID | None, after: tuple[UUID, str], limit: int
) -> tuple[int, Sequence[AssistantTools]]:
    """The position, and at most ``limit`` assistants behind ``after`` (org, agent); those without outcome left out."""
    if org_id is None:
        rows = await connection.fetch(_PAGE_OF_ALL, *after, limit)
    else:
        rows = await connection.fetch(_PAGE_OF_ORG, *after, limit, org_id)
    return rows[0]["as_of_position"], [_assistant(row) for row in rows if row["org_id"] is not None]


def _assistant(row: asyncpg.Record) -> AssistantTools:
    columns = dict(row)
    del columns["as_of_position"]
    tools = (LinkedTool(tool["name"], tool["vapi_tool_id"], tool["definition_version"]) for tool in row["tools"] or ())
    return AssistantTools(**columns | {"tools": tuple(tools)})

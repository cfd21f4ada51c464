"""What rows of assistants say: now, and page by page as of a position, for subscribers that go on with the feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg

from tool_sync.db import Connection
from tool_sync.domain.events import ToolRef

MATCHES_MAX: Final = 20

OUTCOME_NOW: Final = """
CASE WHEN a.settled_revision <= a.removed_revision OR a.settled_assistant_id <> a.assistant_id THEN NULL
     ELSE a.outcome END"""
"""The newest outcome of a row of ``assistants AS a``, where it is about what the agent is now: neither its life before
nor the assistant that it had before."""

_FIND: Final = """
SELECT org_id, agent_id FROM assistants WHERE assistant_id = $1 OR agent_id = $1 ORDER BY org_id, agent_id LIMIT $2
"""
_NOW: Final = f"""
SELECT agent_id, assistant_id, {OUTCOME_NOW} AS outcome, code, synced_tools AS synced, removed, split, linked_version
  FROM assistants a WHERE org_id = $1"""  # noqa: S608 - made of constants
_ONE: Final = f"{_NOW} AND agent_id = $2"
_PRESENT: Final = f"{_NOW} AND NOT removed AND ($2::text IS NULL OR agent_id = $2) ORDER BY agent_id LIMIT $3"
_NAMED: Final = f"{_NOW} AND agent_id = ANY ($2::text[])"
_PAGE: Final = f"{_NOW} AND NOT removed AND agent_id > $2 ORDER BY agent_id LIMIT $3"

# One statement, so one snapshot: the rows are those as of the position that is named beside them. The projection is
# folded by every append, so the log's newest position is the rows' own; a tenant sees its own org's.
_SNAPSHOT: Final = """
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
_SNAPSHOT_OF_ALL: Final = _SNAPSHOT.format(of_org="", and_org="")
_SNAPSHOT_OF_ORG: Final = _SNAPSHOT.format(of_org=" WHERE org_id = $4", and_org=" AND org_id = $4")


@dataclass(frozen=True, slots=True)
class AssistantNow:
    """``outcome``: see `OUTCOME_NOW`; ``synced`` and ``code`` are what the newest one said, whatever it was about.

    ``split`` is as seen at Vapi: which assistant it was of, and the versions that get calls.
    """

    agent_id: str
    assistant_id: str | None
    outcome: str | None
    code: str | None
    synced: tuple[ToolRef, ...]
    removed: bool
    split: dict[str, Any] | None
    linked_version: str | None


async def find_assistants(connection: Connection, name: str) -> list[tuple[UUID, str]]:
    """(org, agent) of the assistants with this Vapi id or agent id; agents of several orgs may share theirs."""
    return [(row["org_id"], row["agent_id"]) for row in await connection.fetch(_FIND, name, MATCHES_MAX)]


async def assistant_of(connection: Connection, org_id: UUID, agent_id: str) -> AssistantNow | None:
    """One assistant, also a deleted one; None where there never was one."""
    row = await connection.fetchrow(_ONE, org_id, agent_id)
    return None if row is None else _now(row)


async def assistants_present(
    connection: Connection, org_id: UUID, agent_id: str | None, limit: int
) -> list[AssistantNow]:
    """At most ``limit`` of an org's assistants that are not deleted, by agent; with ``agent_id`` that one alone."""
    return [_now(row) for row in await connection.fetch(_PRESENT, org_id, agent_id, limit)]


async def assistants_named(connection: Connection, org_id: UUID, agents: Sequence[str]) -> list[AssistantNow]:
    """Those of an org with these agent ids, also deleted ones, in no order."""
    return [_now(row) for row in await connection.fetch(_NAMED, org_id, list(agents))]


async def assistants_after(connection: Connection, org_id: UUID, after: str, limit: int) -> list[AssistantNow]:
    """A page of an org's assistants that are not deleted: those whose agent ids are above ``after``."""
    return [_now(row) for row in await connection.fetch(_PAGE, org_id, after, limit)]


def _now(row: asyncpg.Record) -> AssistantNow:
    return AssistantNow(**dict(row) | {"synced": tuple(ToolRef(**tool) for tool in row["synced"] or ())})


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
        rows = await connection.fetch(_SNAPSHOT_OF_ALL, *after, limit)
    else:
        rows = await connection.fetch(_SNAPSHOT_OF_ORG, *after, limit, org_id)
    return rows[0]["as_of_position"], [_assistant(row) for row in rows if row["org_id"] is not None]


def _assistant(row: asyncpg.Record) -> AssistantTools:
    columns = dict(row)
    del columns["as_of_position"]
    tools = (LinkedTool(tool["name"], tool["vapi_tool_id"], tool["definition_version"]) for tool in row["tools"] or ())
    return AssistantTools(**columns | {"tools": tuple(tools)})

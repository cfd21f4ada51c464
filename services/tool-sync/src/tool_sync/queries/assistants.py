"""What the row of an assistant says now."""

from dataclasses import dataclass
from typing import Any, Final
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


def _now(row: asyncpg.Record) -> AssistantNow:
    return AssistantNow(**dict(row) | {"synced": tuple(ToolRef(**tool) for tool in row["synced"] or ())})

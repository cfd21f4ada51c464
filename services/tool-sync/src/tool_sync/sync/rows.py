"""Rows of the projection ``assistants`` for the assistants that a run works on."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from tool_sync.db import Pool
from tool_sync.domain.events import ToolRef, ids_of
from tool_sync.domain.toolset import Assistant

_COLUMNS: Final = """a.org_id, a.agent_id, a.assistant_id, a.revision, a.saved, a.base_hash, a.model_hash,
       a.linked_revision, a.linked, a.synced_tools, a.outcome, a.diverged_revision, a.drift_hash, a.removed, a.code,
       a.split, a.linked_version"""

BY_AGENT: Final = f"""
SELECT {_COLUMNS}
  FROM unnest($1::uuid[], $2::text[]) AS wanted (org_id, agent_id)
  JOIN assistants a USING (org_id, agent_id)
"""  # noqa: S608 - column names of our own

# One row without an agent where nobody is found: every run of an org-wide change ends with that question.
NOT_AS_WANTED: Final = f"""
SELECT {_COLUMNS}, h.has_assistants
  FROM (SELECT EXISTS (SELECT FROM assistants WHERE org_id = $1 AND NOT removed) AS has_assistants) h
  LEFT JOIN assistants a
    ON a.org_id = $1
   AND NOT a.removed
   AND (jsonb_path_query_array(a.synced_tools, '$[*].vapi_tool_id') IS DISTINCT FROM $2::jsonb OR a.outcome = 'failed'
        OR ($2::jsonb = '[]' AND a.code IS DISTINCT FROM $5))
   AND a.agent_id <> ALL ($3::text[])
 ORDER BY a.agent_id
 LIMIT $4
"""  # noqa: S608

SYNCED_BY_ID: Final = f"""
SELECT {_COLUMNS}
  FROM assistants a JOIN organizations o ON o.id = a.org_id
 WHERE a.assistant_id = ANY ($1::text[]) AND NOT a.removed AND a.outcome = 'synced' AND NOT o.closed
"""  # noqa: S608


async def by_agent(pool: Pool, agents: Sequence[tuple[UUID, str]]) -> dict[UUID, dict[str, Assistant]]:
    """The rows of these (org, agent) pairs, by org and agent."""
    found: dict[UUID, dict[str, Assistant]] = {}
    if agents:
        for row in await pool.fetch(BY_AGENT, [org for org, _ in agents], [agent for _, agent in agents]):
            found.setdefault(row["org_id"], {})[row["agent_id"]] = _assistant(row)
    return found


async def not_as_wanted(
    pool: Pool, org_id: UUID, wanted: Sequence[ToolRef], without: Iterable[str], limit: int, none_wanted: str | None
) -> tuple[dict[str, Assistant], bool]:
    """At most ``limit`` assistants of an org whose newest outcome did not say that they have exactly these tools.

    By their ids: a tool whose definition changes in place is the same one for every assistant.

    Those in ``without`` are left out; ``none_wanted`` is the reason that an outcome without tools should give. Also
    returns whether the org has any assistant.
    """
    rows = await pool.fetch(NOT_AS_WANTED, org_id, list(ids_of(wanted)), list(without), limit, none_wanted)
    found = {row["agent_id"]: _assistant(row) for row in rows if row["agent_id"] is not None}
    return found, rows[0]["has_assistants"]


async def synced_by_id(pool: Pool, ids: Sequence[str]) -> list[tuple[UUID, Assistant]]:
    """The agents, with their orgs, whose assistant has one of these ids at Vapi and is said to be synced."""
    return [(row["org_id"], _assistant(row)) for row in await pool.fetch(SYNCED_BY_ID, ids)]


def _assistant(row: Any) -> Assistant:
    return Assistant(
        agent_id=row["agent_id"],
        assistant_id=row["assistant_id"],
        revision=row["revision"],
        saved=tuple((revision, model_hash) for revision, model_hash in row["saved"] or ()),
        base_hash=row["base_hash"],
        written_hash=row["model_hash"],
        linked_revision=row["linked_revision"] or 0,
        linked=_refs(row["linked"]),
        synced=_refs(row["synced_tools"]),
        failed=row["outcome"] == "failed",
        diverged_revision=row["diverged_revision"],
        drift_hash=row["drift_hash"],
        removed=row["removed"],
        code=row["code"],
        split=split_of(row["split"], row["assistant_id"]),
        linked_version=row["linked_version"],
    )


def split_of(seen: dict[str, Any] | None, assistant_id: str | None) -> tuple[str, ...] | None:
    """The versions that get calls; a split of the assistant that the agent had before counts no more."""
    if seen is None or seen["assistant_id"] != assistant_id or seen["versions"] is None:
        return None
    return tuple(seen["versions"])


def _refs(items: Iterable[dict[str, Any]] | None) -> tuple[ToolRef, ...]:
    return tuple(ToolRef(**item) for item in items or ())

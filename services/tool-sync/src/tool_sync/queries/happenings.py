"""What is told of the log, as a person reads it: the newest of it, and what has come since a position."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.queries.plain_words import named

SCANNED_MAX: Final = 20_000
"""Positions that a look at all clinics looks back, so that a rare type cannot make it long."""

HappeningColor = Literal["green", "amber", "red", ""]

COLUMNS: Final = """position, recorded_at AS at, org_id, type, data ->> 'agent_id' AS agent_id,
       coalesce(data ->> 'name', data ->> 'tool') AS tool, coalesce(data ->> 'code', data ->> 'reason') AS code,
       data ->> 'cause' AS cause, coalesce(data ->> 'definition_version', data ->> 'version') AS version,
       coalesce(data ->> 'rollout_id', data ->> 'order') AS rollout_id"""
"""Of ``events``, for a :class:`Happening`."""
IS_TOLD: Final = "coalesce(data ->> 'sequence', data ->> 'fleet_sequence') IS NOT NULL"

# A statement for each, as one with "or null" would not be planned by the clinic's own index.
_ROWS: Final = f"""
SELECT {COLUMNS}
  FROM events
 WHERE position > $1 AND position <= $2 AND type = ANY ($3::text[]) AND {IS_TOLD}
   AND ($4::text IS NULL OR data ->> 'code' = $4)"""  # noqa: S608 - constants
_OF_ALL: Final = f"{_ROWS} ORDER BY position DESC LIMIT $5"
_OF_ORG: Final = f"{_ROWS} AND org_id = $6 ORDER BY position DESC LIMIT $5"


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that is told to subscribers, with what its type has of these; ``code`` may also be why no tool is
    wanted, or, of a rollout, its reason."""

    position: int
    at: datetime
    org_id: UUID | None
    type: str
    agent_id: str | None
    tool: str | None
    code: str | None
    cause: str | None
    version: str | None
    rollout_id: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """What of it is wanted: stored types, one clinic or all (None), one code or any."""

    types: Sequence[str]
    org_id: UUID | None
    code: str | None


async def newest_happenings(
    connection: Connection, told: Told, *, after: int, head: int, limit: int
) -> list[Happening]:
    """At most ``limit`` above ``after``, none above ``head``, the newest first; of all clinics the last `SCANNED_MAX`
    positions are looked at, of one all of its own. Under the rights of the connection."""
    if told.org_id is None:
        begin = max(after, head - SCANNED_MAX)
        rows = await connection.fetch(_OF_ALL, begin, head, list(told.types), told.code, limit)
    else:
        rows = await connection.fetch(_OF_ORG, after, head, list(told.types), told.code, limit, told.org_id)
    return [Happening(**dict(row)) for row in rows]


@dataclass(frozen=True, slots=True)
class HappeningSaid:
    """``word`` stands in ``color``, ``rest`` behind it."""

    word: str
    color: HappeningColor
    rest: str = ""


def said_of(one: Happening) -> HappeningSaid:
    """In a few words."""
    match one.type:
        case "AssistantSynced" if one.code is not None:
            return HappeningSaid("no tool is wanted", "", named(one.code))
        case "AssistantSynced":
            return HappeningSaid("works again" if one.cause == "recovered" else "synced", "green")
        case "AssistantSyncFailed":
            return HappeningSaid("failed", "red", named(one.code))
        case "AssistantDiverged":
            return HappeningSaid("is written once more", "amber", "Vapi shows an older version than the newest save")
        case "ToolRegistrationStarted" | "ToolUpdateStarted":
            return HappeningSaid("changes", "", f"{_tool(one)} is sent to Vapi")
        case "ToolRegistered" | "ToolUpdated" | "ToolReinstated":
            return HappeningSaid("has", "green", _tool(one))
        case "ToolRetired":
            return HappeningSaid("loses", "amber", one.tool or "")
        case _:
            word = "rollout begins" if one.type == "RolloutStarted" else "rollout ends"
            return HappeningSaid(word, "", f"{one.rollout_id} of {one.tool}")


def _tool(one: Happening) -> str:
    return f"{one.tool} version {one.version}" if one.version else one.tool or ""

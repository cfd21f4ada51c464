"""The log as a person follows it: each event as one sentence, in the order of positions, without a gap.

A step reads at most `EVENTS_MAX` events of at most `SCANNED_MAX` positions, and says up to where everything was seen:
positions have no holes and become visible in their order, so whoever goes on from there misses and repeats nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
from pydantic_core import from_json

from tool_sync.db import Connection
from tool_sync.queries import event_words
from tool_sync.queries.happenings import COLUMNS, IS_TOLD, SCANNED_MAX, Happening, said_of
from zerotouch_platform.traceparent import trace_id_of

EVENTS_MAX: Final = 500

_ROWS: Final = f"""
SELECT {COLUMNS}, data::text AS data, meta ->> 'traceparent' AS traceparent
  FROM events
 WHERE position > $1 AND position <= $2 AND ($3::text[] IS NULL OR type = ANY ($3))
   AND (NOT $4 OR {IS_TOLD})
   AND ($5::uuid IS NULL OR org_id = $5)
   AND ($6::text IS NULL OR coalesce(data ->> 'name', data ->> 'tool') = $6
        OR data -> 'tools' @> jsonb_build_array(jsonb_build_object('name', $6::text))
        OR data -> 'failed_tools' @> jsonb_build_array(jsonb_build_object('name', $6::text)))"""  # noqa: S608 - constants
_OLDEST: Final = f"{_ROWS} ORDER BY position LIMIT $7"
_NEWEST: Final = f"{_ROWS} ORDER BY position DESC LIMIT $7"


@dataclass(frozen=True, slots=True)
class TailFilter:
    """What is followed: stored types (None: all), outcomes and changes alone or every event, one clinic, one tool."""

    types: Sequence[str] | None
    is_all: bool = False
    org_id: UUID | None = None
    tool: str | None = None


@dataclass(frozen=True, slots=True)
class TailLine:
    """An event and what it says. ``org_id`` None: it is of no clinic."""

    position: int
    at: datetime
    org_id: UUID | None
    agent_id: str | None
    type: str
    says: str
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """Events in their order; everything up to ``position`` was seen."""

    events: tuple[TailLine, ...]
    position: int


async def step_after(connection: Connection, wanted: TailFilter, position: int, head: int) -> Step:
    """What follows a position, none above ``head``."""
    through = min(head, position + SCANNED_MAX)
    lines = await _lines(connection, _OLDEST, wanted, position, through, EVENTS_MAX)
    return Step(lines, lines[-1].position if len(lines) == EVENTS_MAX else max(position, through))


async def newest_step(connection: Connection, wanted: TailFilter, head: int, limit: int) -> Step:
    """The newest up to ``head`` that are to be found among the last `SCANNED_MAX` positions."""
    lines = await _lines(connection, _NEWEST, wanted, max(0, head - SCANNED_MAX), head, limit)
    return Step(lines[::-1], head)


async def _lines(
    connection: Connection, statement: str, wanted: TailFilter, after: int, through: int, limit: int
) -> tuple[TailLine, ...]:
    types = None if wanted.types is None else list(wanted.types)
    rows = await connection.fetch(
        statement, after, through, types, not wanted.is_all, wanted.org_id, wanted.tool, limit
    )
    return tuple(_followed(row, is_all=wanted.is_all) for row in rows)


def _followed(row: asyncpg.Record, *, is_all: bool) -> TailLine:
    columns = dict(row)
    data, trace_id = columns.pop("data"), trace_id_of(columns.pop("traceparent"))
    one = Happening(**columns)
    if is_all:
        says = event_words.said(one.type, from_json(data))
    else:
        words = said_of(one)
        says = f"{words.word}, {words.rest}" if words.rest else words.word
    return TailLine(one.position, one.at, one.org_id, one.agent_id, one.type, says, trace_id)

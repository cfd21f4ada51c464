"""What is pinned for orgs' tools now, and who pinned one when and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.queries.plain_words import because
from tool_sync.queries.tool_settings import who
from zerotouch_platform.times import utc

_COLUMNS: Final = "p.org_id, p.tool_name, p.version, p.until, p.changed_at, p.actor, p.reason, p.position"
_ONE: Final = f"SELECT {_COLUMNS} FROM org_tool_pins p WHERE p.org_id = $1 AND p.tool_name = $2"  # noqa: S608
_ALL: Final = f"""
SELECT {_COLUMNS}
  FROM org_tool_pins p JOIN organizations o ON o.id = p.org_id AND NOT o.closed
 WHERE p.version IS NOT NULL AND ($1::uuid IS NULL OR p.org_id = $1)
 ORDER BY p.until, p.org_id, p.tool_name LIMIT $2
"""  # noqa: S608 - columns of our own
_MADE: Final = """
SELECT org_id, data ->> 'name' AS tool_name, (data ->> 'version')::int AS version,
       (data ->> 'until')::timestamptz AS until, recorded_at AS changed_at, coalesce(meta ->> 'actor', '') AS actor,
       data ->> 'reason' AS reason, position
  FROM events WHERE org_id = $1 AND position = $2
"""


@dataclass(frozen=True, slots=True)
class ToolPin:
    """A row of ``org_tool_pins``. ``version`` null: the pin was taken back, or has had its time, at ``changed_at``.

    ``position`` is that of the event that made it, or ended it.
    """

    org_id: UUID
    tool_name: str
    version: int | None
    until: datetime | None
    changed_at: datetime
    actor: str
    reason: str | None
    position: int


async def pin_of(connection: Connection, org_id: UUID, tool: str) -> ToolPin | None:
    """The pin of one of the org's tools, or the end of the newest; None where there never was one."""
    row = await connection.fetchrow(_ONE, org_id, tool)
    return None if row is None else ToolPin(**dict(row))


async def pins_of(connection: Connection, org_id: UUID | None, limit: int) -> Sequence[ToolPin]:
    """The pins that count now, of one org or of all that are open, those that end first before the others."""
    return [ToolPin(**dict(row)) for row in await connection.fetch(_ALL, org_id, limit)]


async def pin_made_at(connection: Connection, org_id: UUID, position: int) -> ToolPin:
    """The pin that the org's event at a position made."""
    row = await connection.fetchrow(_MADE, org_id, position)
    assert row is not None, f"{org_id} has no event at {position}"
    return ToolPin(**dict(row))


def said(pin: ToolPin) -> str:
    """The pin as part of a sentence: to what, until when, by whom, when and why."""
    until = "" if pin.until is None else f" until {utc(pin.until)}"
    by = f"by {who(pin.actor)} at {utc(pin.changed_at)}"
    return f"pinned to version {pin.version}{until} {by}{because(pin.reason)}"

"""Pins: which version somebody keeps a clinic at.

A version may be withdrawn at the very moment at which somebody is pinned to it, as that is in another stream: then the
clinic has it until its pin ends, as one has it that an order gave it to before.
"""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain.events import ToolPinned, ToolUnpinned
from tool_sync.domain.tool_pin import PinBasis, PinRefusal, PinWish, decide_pin
from tool_sync.intake.wishes import AlreadySo, Wisher, WishStored, make_true
from tool_sync.log import EventLog, org_stream
from tool_sync.log.head import stream_version
from tool_sync.sync.blueprint import read_fleet

SOURCE: Final = "/zerotouch/tool-sync/pins"

_BASIS: Final = """
SELECT o.id IS NOT NULL AS is_known, coalesce(o.closed, false) AS is_closed, coalesce(o.tier, 'basic') AS tier,
       clock_timestamp() AS now, p.version, p.definition_hash, p.until, p.reason, coalesce(p.position, 0) AS position
  FROM (SELECT $1::uuid AS org_id) asked
  LEFT JOIN organizations o ON o.id = asked.org_id
  LEFT JOIN org_tool_pins p ON p.org_id = asked.org_id AND p.tool_name = $2
"""
_PINNED: Final = """
SELECT count(*) FROM org_tool_pins p JOIN organizations o ON o.id = p.org_id AND NOT o.closed
 WHERE p.tool_name = $1 AND p.version = $2
"""


ReadBasis = Callable[[], Awaitable[tuple[int, PinBasis]]]


async def pin_basis(connection: Connection, org_id: UUID, tool: str) -> tuple[int, PinBasis]:
    """The version of the org's stream, and what a wish about the tool is decided on, which is as new or newer."""
    version = await stream_version(connection, org_stream(org_id))
    row = await connection.fetchrow(_BASIS, org_id, tool)
    assert row is not None
    return version, PinBasis(**dict(row))


async def pin_tool(
    log: EventLog, read: ReadBasis, org_id: UUID, tool: str, wish: PinWish, wisher: Wisher
) -> WishStored[ToolPinned | ToolUnpinned] | AlreadySo | PinRefusal:
    """Make the wish true, once. ``read`` answers :func:`pin_basis`.

    Raises what :func:`~tool_sync.intake.wishes.make_true` does, and `UnknownEvent`.
    """

    async def decide() -> tuple[int, ToolPinned | ToolUnpinned | PinRefusal | None]:
        version, basis = await read()
        return version, decide_pin(basis, await read_fleet(log), tool, wish)

    return await make_true(log, org_id, decide, (ToolPinned, ToolUnpinned), source=SOURCE, wisher=wisher)


async def pinned_to(connection: Connection, tool: str, version: int) -> int:
    """How many clinics are pinned to a version."""
    found: int = await connection.fetchval(_PINNED, tool, version)
    return found

"""The table `published_tools`: one row a tool, of the newest record that was read, whichever replica has read it."""

from typing import Any, Final

import structlog
from pydantic import ValidationError

from assistant_api.db import Connection
from assistant_api.published.known import Published, unheard
from zerotouch_contracts.blueprint import BlueprintPlace, Told, ToolPublished, place_after

_READ: Final = "SELECT tool, body FROM published_tools ORDER BY tool"
# Two replicas that read the same first record of a tool: the second waits here, and then finds the row.
_ENSURE: Final = "INSERT INTO published_tools (tool) VALUES ($1) ON CONFLICT DO NOTHING"
_PLACE: Final = """
SELECT log_id, position, said_at, former, body FROM published_tools WHERE tool = $1 FOR NO KEY UPDATE
"""
_KEEP: Final = """
UPDATE published_tools
SET log_id = $2, position = $3, said_at = $4, former = $5, body = $6, stored_at = clock_timestamp(),
    walk_due = walk_due OR $7,
    walked_org = CASE WHEN $7 THEN NULL ELSE walked_org END,
    walked_agent = CASE WHEN $7 THEN NULL ELSE walked_agent END
WHERE tool = $1
"""

_log: Final = structlog.get_logger()


async def keep(connection: Connection, told: Told) -> bool:
    """Take in what a record says, in the caller's transaction; False where nothing newer came.

    In any order, and again: an older one changes nothing. Where an order may give a version from now on whose answer
    the model never hears, the prompts that describe the tool are due to be looked at (:mod:`.marking`).
    """
    tool = told.message.tool
    await connection.execute(_ENSURE, tool)
    row = await connection.fetchrow(_PLACE, tool)
    assert row is not None, "no row is ever deleted"
    kept = None
    if row["log_id"] is not None:
        kept = BlueprintPlace(row["log_id"], row["position"], row["said_at"], frozenset(row["former"]))
    place = place_after(kept, told)
    if place is None or place == kept:
        return False
    is_same_log = kept is not None and kept.log_id == place.log_id
    if kept is not None and not is_same_log:
        _log.warning("blueprint_of_a_new_log", tool=tool, log_id=str(place.log_id))
    # Of another log the same number may be another version.
    before = unheard(_message(tool, row["body"])) if is_same_log else frozenset()
    body, is_new = told.message.model_dump(mode="json"), bool(unheard(told.message) - before)
    await connection.execute(_KEEP, tool, place.log_id, place.position, place.at, sorted(place.former), body, is_new)
    return True


async def read(connection: Connection) -> Published:
    """All that is kept."""
    rows = await connection.fetch(_READ)
    messages = {row["tool"]: _message(row["tool"], row["body"]) for row in rows}
    return Published({tool: message for tool, message in messages.items() if message is not None})


def _message(tool: str, body: Any) -> ToolPublished | None:
    if body is None:
        return None
    try:
        return ToolPublished.model_validate(body)
    except ValidationError as error:  # another release has kept it
        _log.error("published_tool_unreadable", tool=tool, faults=error.error_count(), alarm=True)
        return None

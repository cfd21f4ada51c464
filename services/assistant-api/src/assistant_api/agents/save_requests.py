"""Requests to save: whoever wants an agent's newest state at Vapi asks here.

A request is one statement on the agent's row; triggers count the revision and write the row of `saves`. They are told
which request and trace it is for by settings of the same transaction. Beside HTTP two more ask: `heal()` in SQL, after
an assistant diverged, and `restore/begin.py`, for all agents at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from pydantic.alias_generators import to_camel

from assistant_api.db import Connection
from assistant_api.problem import Problem, not_found
from zerotouch_contracts.errors import ErrorCode

_FOR_TRIGGERS: Final = """
SELECT set_config('app.cause', 'save', true), set_config('app.request_id', $1, true),
       set_config('app.traceparent', $2, true)
"""
_INSERT: Final = """
INSERT INTO agents (org_id, id, name, system_prompt, first_message, voice, model, vapi_account, vapi_assistant_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING saved_revision
"""
_KNOWN: Final = "SELECT revision FROM saves WHERE request_id = $1 AND org_id = $2 AND agent_id = $3"

COLUMNS: Final = {
    to_camel(column): column
    for column in ("name", "system_prompt", "first_message", "voice", "model", "vapi_assistant_id")
}
"""What an agent says, by its name in HTTP."""


@dataclass(frozen=True, slots=True)
class SaveRequest:
    """One request to save: its id, and the trace that it belongs to."""

    request_id: UUID
    traceparent: str


@dataclass(frozen=True, slots=True)
class AutoSync:
    """A sync of all agents of an organization, of which there is one at a time; how many it is of."""

    id: UUID
    asked_at: datetime
    agents: int
    joined: bool
    """Whether somebody else had asked for it."""


async def create_agent(
    connection: Connection, org_id: UUID, agent_id: str, values: Mapping[str, Any], account: str, request: SaveRequest
) -> int:
    """Insert an agent inside the caller's transaction; the revision that answers the request.

    404 without such an organization, 409 where the id is taken, 422 where the Vapi assistant is.
    """
    said = [values.get(name) for name in COLUMNS if name != "vapiAssistantId"]
    try:
        revision = await _written_once(
            connection, org_id, agent_id, request, _INSERT, *said, account, values.get("vapiAssistantId")
        )
    except asyncpg.ForeignKeyViolationError:
        raise not_found() from None
    return int(revision)


async def change_agent(
    connection: Connection, org_id: UUID, agent_id: str, values: Mapping[str, Any], request: SaveRequest
) -> int:
    """Update what ``values`` names inside the caller's transaction; the revision that answers the request.

    Every call is a save, also where nothing differs. Another Vapi assistant is an adoption, and leaves the one before.
    """
    assignments = [f"{COLUMNS[name]} = ${place}" for place, name in enumerate(values, start=3)]
    assignments.append("saved_revision = saved_revision + 1")
    update = f"UPDATE agents SET {', '.join(assignments)} WHERE org_id = $1 AND id = $2 RETURNING saved_revision"  # noqa: S608 - column names are constants of this module
    revision = await _written_once(connection, org_id, agent_id, request, update, *values.values())
    if revision is None:
        raise not_found()
    return int(revision)


async def request_save(
    connection: Connection, org_id: UUID, agent_id: str, cause: str, request: SaveRequest
) -> tuple[int, SaveRequest]:
    """Ask for a sync of an unchanged agent; the revision that answers the request, and whose it is.

    That is another request's where one waits already that nobody has begun with: a thousand of them are one event.
    """
    row = await connection.fetchrow(
        "SELECT * FROM request_sync($1, $2, $3, $4, $5)",
        org_id, agent_id, cause, request.request_id, request.traceparent,
    )  # fmt: skip
    if row is None or row["answered_revision"] is None:
        raise not_found()
    return row["answered_revision"], replace(request, request_id=row["answered_request"])


async def request_save_of_all(
    connection: Connection, org_id: UUID, traceparent: str, *, joined_seconds: float
) -> AutoSync:
    """Ask for a sync of all agents of an organization, or join the one that is under way."""
    row = await connection.fetchrow("SELECT * FROM request_auto_sync($1, $2, $3)", org_id, traceparent, joined_seconds)
    assert row is not None
    return AutoSync(row["auto_sync_id"], row["auto_sync_asked_at"], int(row["agents_requested"]), row["joined"])


def unavailable() -> Problem:
    """The Vapi assistant cannot be had; whose it is stays unsaid."""
    return Problem(422, ErrorCode.ASSISTANT_ID_UNAVAILABLE, "vapiAssistantId cannot be used for this agent")


async def _written_once(
    connection: Connection, org_id: UUID, agent_id: str, request: SaveRequest, write: str, *values: Any
) -> Any:
    """What ``write`` returns of the row, or what the first try of this request returned, which got this far."""
    known = await connection.fetchval(_KNOWN, request.request_id, org_id, agent_id)
    if known is not None:
        return known
    await connection.execute(_FOR_TRIGGERS, str(request.request_id), request.traceparent)
    try:
        return await connection.fetchval(write, org_id, agent_id, *values)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "agents_vapi_assistant":
            raise unavailable() from None
        raise Problem(409, ErrorCode.ALREADY_EXISTS, "an agent with this id exists") from None

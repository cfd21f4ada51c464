"""Rows that come and go: organizations made, organizations and agents deleted. An agent is made by a request to save.

Triggers do the rest: they announce it, close open saves and note which assistants have to go from Vapi.
"""

from typing import Final
from uuid import UUID

import asyncpg

from assistant_api.db import Connection
from assistant_api.problem import Problem, not_found
from zerotouch_contracts.errors import ErrorCode

_FOR_TRIGGERS: Final = "SELECT set_config('app.traceparent', $1, true)"
_INSERT: Final = "INSERT INTO organizations (id, name, tier) VALUES ($1, $2, $3) RETURNING revision"


async def create_organization(connection: Connection, org_id: UUID, name: str, tier: str, traceparent: str) -> int:
    """Insert an organization inside the caller's transaction; its revision. 409 where the id is taken."""
    await connection.execute(_FOR_TRIGGERS, traceparent)
    try:
        return int(await connection.fetchval(_INSERT, org_id, name, tier))
    except asyncpg.UniqueViolationError:
        raise Problem(409, ErrorCode.ALREADY_EXISTS, "an organization with this id exists") from None


async def delete_organization(connection: Connection, org_id: UUID, traceparent: str) -> None:
    """Delete an organization and all that is its, inside the caller's transaction; 404 where it is gone."""
    await _delete(connection, "DELETE FROM organizations WHERE id = $1", org_id, traceparent=traceparent)


async def delete_agent(connection: Connection, org_id: UUID, agent_id: str, traceparent: str) -> None:
    """Delete an agent inside the caller's transaction; 404 where it is gone."""
    await _delete(
        connection, "DELETE FROM agents WHERE org_id = $1 AND id = $2", org_id, agent_id, traceparent=traceparent
    )


async def _delete(connection: Connection, delete: str, *key: object, traceparent: str) -> None:
    await connection.execute(_FOR_TRIGGERS, traceparent)
    if await connection.execute(delete, *key) == "DELETE 0":
        raise not_found()

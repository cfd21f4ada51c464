"""Rows that come and go: organizations made and changed, organizations and agents deleted.

An agent is made by a request to save. Triggers do the rest: they announce it, close open saves and note which
assistants have to go from Vapi.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg

from assistant_api.db import Connection
from assistant_api.problem import Problem, not_found
from zerotouch_contracts.errors import ErrorCode

_FOR_TRIGGERS: Final = "SELECT set_config('app.traceparent', $1, true)"
_INSERT: Final = "INSERT INTO organizations (id, name, tier, time_zone) VALUES ($1, $2, $3, $4) RETURNING revision"
# The same values again write no row: nothing is announced, and no clinic is looked at for it.
_CHANGE: Final = """
UPDATE organizations SET name = coalesce($2, name), tier = coalesce($3, tier), time_zone = coalesce($4, time_zone)
WHERE id = $1 AND (name, tier, time_zone)
   IS DISTINCT FROM (coalesce($2, name), coalesce($3, tier), coalesce($4, time_zone))
"""
_READ: Final = "SELECT name, tier, revision FROM organizations WHERE id = $1"


async def create_organization(
    connection: Connection, org_id: UUID, name: str, tier: str, time_zone: str, traceparent: str
) -> int:
    """Insert an organization inside the caller's transaction; its revision. 409 where the id is taken."""
    await connection.execute(_FOR_TRIGGERS, traceparent)
    try:
        return int(await connection.fetchval(_INSERT, org_id, name, tier, time_zone))
    except asyncpg.UniqueViolationError:
        raise Problem(409, ErrorCode.ALREADY_EXISTS, "an organization with this id exists") from None


async def change_organization(
    connection: Connection, org_id: UUID, change: Mapping[str, str], traceparent: str
) -> Mapping[str, Any]:
    """Give an organization another ``name``, ``tier`` or ``time_zone`` inside the caller's transaction.

    Returns its name, tier and revision; 404 where it is gone.
    """
    await connection.execute(_FOR_TRIGGERS, traceparent)
    await connection.execute(_CHANGE, org_id, change.get("name"), change.get("tier"), change.get("time_zone"))
    row = await connection.fetchrow(_READ, org_id)
    if row is None:
        raise not_found()
    return dict(row)


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

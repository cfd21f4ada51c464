"""Deleting rows. That is all: triggers announce it, close open saves and note which assistants have to go from Vapi."""

from typing import Final
from uuid import UUID

from assistant_api.db import Connection
from assistant_api.problem import not_found

_FOR_TRIGGERS: Final = "SELECT set_config('app.traceparent', $1, true)"


async def delete_agent(connection: Connection, org_id: UUID, agent_id: str, traceparent: str) -> None:
    """Delete an agent inside the caller's transaction; 404 where it is gone."""
    await connection.execute(_FOR_TRIGGERS, traceparent)
    done = await connection.execute("DELETE FROM agents WHERE org_id = $1 AND id = $2", org_id, agent_id)
    if done == "DELETE 0":
        raise not_found()


async def delete_organization(connection: Connection, org_id: UUID, traceparent: str) -> None:
    """Delete an organization and all that is its, inside the caller's transaction; 404 where it is gone."""
    await connection.execute(_FOR_TRIGGERS, traceparent)
    done = await connection.execute("DELETE FROM organizations WHERE id = $1", org_id)
    if done == "DELETE 0":
        raise not_found()

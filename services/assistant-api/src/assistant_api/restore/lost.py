"""The table `lost_assistants`: what an agent takes up, after a restore, before one is made for it."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from assistant_api.db import Connection

_OLDEST: Final = """
SELECT l.vapi_assistant_id, l.made FROM lost_assistants l
WHERE l.vapi_account = $1 AND l.org_id = $2 AND l.agent_id = $3
  AND NOT EXISTS (SELECT FROM agents a WHERE a.vapi_account = $1 AND a.vapi_assistant_id = l.vapi_assistant_id)
ORDER BY l.created_at NULLS LAST, l.vapi_assistant_id LIMIT 1
"""
_FORGET: Final = "DELETE FROM lost_assistants WHERE vapi_account = $1 AND vapi_assistant_id = $2"


@dataclass(frozen=True, slots=True)
class Lost:
    """An assistant that a restore has lost. ``made``: an attempt of ours made it."""

    assistant_id: str
    made: bool


async def oldest_lost(connection: Connection, account: str, org_id: UUID, agent_id: str) -> Lost | None:
    """The oldest of the agent's that nobody has; None where a restore has lost none, as almost always."""
    row = await connection.fetchrow(_OLDEST, account, org_id, agent_id)
    return None if row is None else Lost(row["vapi_assistant_id"], row["made"])


async def forget_lost(connection: Connection, account: str, assistant_id: str) -> None:
    """It is gone at Vapi, or carries another mark by now."""
    await connection.execute(_FORGET, account, assistant_id)

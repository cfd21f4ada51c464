"""Whether a clinic may have one more: agent, or save that waits for Vapi. Asked where HTTP writes (ADR 55).

Plain SQL is not refused: who writes it does so in a transaction of their own, which would fail with ours, and saving an
assistant must not.
"""

from typing import Final
from uuid import UUID

from assistant_api.db import Connection
from assistant_api.problem import Problem
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.limits import answer
from zerotouch_platform.limits.policy import Kind, Of, Refusal, Standing
from zerotouch_platform.limits.refusals import Refusals

RETRY_SECONDS: Final = 5
"""When it is worth asking again while too many saves wait: it depends on Vapi, and nobody knows."""
_AT_ONCE_MAX: Final = 1000
"""More agents of one clinic are not added at one moment: with so much room left, nobody waits for another."""

_WAITING: Final = """
SELECT count(*) FROM (
    SELECT FROM saves WHERE org_id = $1 AND state = 'open' AND cause IN ('save', 'sync') LIMIT $2) AS few
"""
_AGENTS: Final = "SELECT count(*) FROM (SELECT FROM agents WHERE org_id = $1 LIMIT $2) AS few"
_KNOWN: Final = "SELECT EXISTS (SELECT FROM saves WHERE request_id = $1)"
_LOCK: Final = "SELECT FROM organizations WHERE id = $1 FOR NO KEY UPDATE"


async def require_room_for_save(connection: Connection, org_id: UUID, waiting_max: int, refusals: Refusals) -> None:
    """Raise a 429 problem where so many saves of the clinic wait.

    Those that are made at this moment are not seen: it may be as many more as requests of it are served at a time.
    """
    if await connection.fetchval(_WAITING, org_id, waiting_max) < waiting_max:
        return
    refusal = Refusal([Standing(Of.ORG, Kind.SAVES_WAITING, waiting_max, 0, None, RETRY_SECONDS)])
    refusals.add(refusal)
    raise Problem(
        answer.STATUS,
        ErrorCode.LIMIT_REACHED,
        answer.sentence(refusal),
        extra=answer.members(refusal),
        headers=answer.headers_of(refusal),
    )


async def require_room_for_agent(
    connection: Connection, org_id: UUID, request_id: UUID, agents_max: int, refusals: Refusals
) -> None:
    """Raise a 409 problem where the clinic has all the agents that it may have; in the transaction that adds one.

    Not for a request that was stored before its answer was lost.
    """
    near = max(0, agents_max - _AT_ONCE_MAX)
    if await connection.fetchval(_AGENTS, org_id, near) < near:
        return
    await connection.execute(_LOCK, org_id)
    if await connection.fetchval(_AGENTS, org_id, agents_max) < agents_max:
        return
    if await connection.fetchval(_KNOWN, request_id):
        return
    refusals.add(Refusal([Standing(Of.ORG, Kind.AGENTS, agents_max, 0, None, RETRY_SECONDS)]))
    raise Problem(409, ErrorCode.AGENTS_LIMIT, f"the clinic has {agents_max} agents, and may have no more")

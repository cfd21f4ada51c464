"""Rows of `removals`: claimed under a lease, postponed, and deleted when Vapi has the assistant no longer.

They are written by a trigger when an agent is deleted, by the sweep, and by :func:`remove_made` where an answer to a
creation finds nobody who waits for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat as uuids

from assistant_api.db import Connection
from zerotouch_contracts.errors import ErrorCode

# Nothing is claimed before an unanswered creation can no longer land, unless its answer came after all.
_CLAIM: Final = """
WITH due AS (
    SELECT id FROM removals
    WHERE next_due <= now() AND (lease_until IS NULL OR lease_until < now())
      AND (vapi_assistant_id IS NOT NULL OR attempt_at <= now() - make_interval(secs => $4))
    ORDER BY next_due LIMIT $1
    FOR UPDATE SKIP LOCKED
)
UPDATE removals r SET lease_token = $2, lease_until = now() + make_interval(secs => $3)
FROM due WHERE r.id = due.id
RETURNING r.id, r.org_id, r.agent_id, r.vapi_account, r.vapi_assistant_id, r.only_if_marked, r.failures, r.traceparent,
          extract(epoch FROM now() - r.attempt_at)::float8 AS attempt_age_seconds
"""
_OWNER: Final = "SELECT vapi_assistant_id, attempt_id FROM agents WHERE org_id = $1 AND id = $2"
_DONE: Final = "DELETE FROM removals WHERE id = $1 AND lease_token = $2"
_LATER: Final = """
UPDATE removals SET next_due = now() + make_interval(secs => $3), failures = failures + $5, failure_code = $4,
       lease_token = NULL, lease_until = NULL
WHERE id = $1 AND lease_token = $2
"""
# What a creation made whose agent is gone, or has another assistant by now. An agent that has this one, because
# somebody found it by its metadata, keeps it.
MADE: Final = """
INSERT INTO removals (org_id, agent_id, vapi_account, vapi_assistant_id, only_if_marked)
SELECT $1, $2, $3, $4, true
WHERE NOT EXISTS (SELECT FROM agents WHERE vapi_account = $3 AND vapi_assistant_id = $4)
ON CONFLICT DO NOTHING
"""
_ANSWERED: Final = "DELETE FROM removals WHERE attempt_id = $1"


@dataclass(frozen=True, slots=True)
class Removal:
    """An assistant that has to go, under our lease. Without ``assistant_id`` it has to be found first."""

    id: int
    token: UUID
    org_id: UUID
    agent_id: str
    vapi_account: str
    assistant_id: str | None
    only_if_marked: bool
    attempt_age_seconds: float | None
    failures: int
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Owner:
    """The agent with the same id that exists now: made anew, or never deleted."""

    assistant_id: str | None
    has_attempt: bool


async def claim(
    connection: Connection, *, limit: int, lease_seconds: float, settle_seconds: float
) -> Sequence[Removal]:
    """Take at most ``limit`` removals that are due; nobody else gets them while the lease lasts."""
    token = uuids.uuid4()
    rows = await connection.fetch(_CLAIM, limit, token, lease_seconds, settle_seconds)
    return [_removal(row, token) for row in rows]


async def owner_of(connection: Connection, removal: Removal) -> Owner | None:
    """Who has the id of the removal's agent now."""
    row = await connection.fetchrow(_OWNER, removal.org_id, removal.agent_id)
    return None if row is None else Owner(row["vapi_assistant_id"], row["attempt_id"] is not None)


async def done(connection: Connection, removal: Removal) -> None:
    """Nothing is left to do."""
    await connection.execute(_DONE, removal.id, removal.token)


async def later(
    connection: Connection, removal: Removal, delay_seconds: float, code: ErrorCode, *, counts: bool = True
) -> None:
    """Due again after the delay; ``counts`` says whether it was a try of ours that failed."""
    await connection.execute(_LATER, removal.id, removal.token, delay_seconds, code.value, int(counts))


async def remove_made(
    connection: Connection, org_id: UUID, agent_id: str, vapi_account: str, assistant_id: str, attempt_id: UUID
) -> None:
    """Have an assistant removed whose creation was answered too late; call it in a transaction.

    The wish to look for what that attempt made, where there is one, ends: this is it.
    """
    await connection.execute(_ANSWERED, attempt_id)
    await connection.execute(MADE, org_id, agent_id, vapi_account, assistant_id)


def _removal(row: Any, token: UUID) -> Removal:
    return Removal(
        id=row["id"],
        token=token,
        org_id=row["org_id"],
        agent_id=row["agent_id"],
        vapi_account=row["vapi_account"],
        assistant_id=row["vapi_assistant_id"],
        only_if_marked=row["only_if_marked"],
        attempt_age_seconds=row["attempt_age_seconds"],
        failures=row["failures"],
        traceparent=row["traceparent"],
    )

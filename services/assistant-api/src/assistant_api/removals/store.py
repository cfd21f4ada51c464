"""Rows of `removals`: claimed under a lease, postponed, and deleted when Vapi has the assistant no longer.

They are written by triggers when an agent is deleted or leaves its assistant, by the sweep, and by :func:`remove_made`
where an answer to a creation finds nobody who waits for it. A row deletes its assistant or releases it.
"""

# ruff: noqa: S608 - the statements are put together from constants of this module

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import uuid_utils.compat as uuids

from assistant_api.db import Connection
from assistant_api.vapi.answers import Later
from assistant_api.vapi.claims import Clinics
from zerotouch_contracts.errors import ErrorCode

# Nothing is claimed before what was under way can no longer land: an unanswered creation, unless its answer came after
# all; a write to an assistant that is to be released. Of several who left one assistant the first goes first.
IS_DUE: Final = """
next_due <= now() AND (lease_until IS NULL OR lease_until < now())
      AND CASE WHEN released_assistant_id IS NULL
               THEN vapi_assistant_id IS NOT NULL OR attempt_at <= now() - make_interval(secs => $1)
               ELSE greatest(created_at, write_at) <= now() - make_interval(secs => $1)
                    AND NOT EXISTS (SELECT FROM removals e WHERE e.vapi_account = r.vapi_account
                                    AND e.released_assistant_id = r.released_assistant_id AND e.id < r.id) END"""
"""Of a row ``r`` of `removals`; $1: the seconds after which nothing that was under way can land."""

_CLAIM: Final = f"""
WITH due AS (
    SELECT id FROM removals r
    WHERE {IS_DUE} AND ($5::uuid[] IS NULL OR org_id = ANY ($5::uuid[])) AND org_id <> ALL ($6::uuid[])
    ORDER BY next_due LIMIT $4
    FOR UPDATE SKIP LOCKED
)
UPDATE removals r SET lease_token = $2, lease_until = now() + make_interval(secs => $3)
FROM due WHERE r.id = due.id
RETURNING r.id, r.org_id, r.agent_id, r.vapi_account, r.attempt_id, r.only_if_marked, r.failures, r.traceparent,
          coalesce(r.vapi_assistant_id, r.released_assistant_id) AS assistant_id,
          r.released_assistant_id IS NOT NULL AS releases,
          extract(epoch FROM now() - r.attempt_at)::float8 AS attempt_age_seconds
"""
_OWNER: Final = "SELECT vapi_assistant_id, attempt_id FROM agents WHERE org_id = $1 AND id = $2"
_HOLDER: Final = "SELECT org_id, id FROM agents WHERE vapi_account = $1 AND vapi_assistant_id = $2"
_BEGIN: Final = """
UPDATE removals SET write_at = clock_timestamp(), lease_until = now() + make_interval(secs => $3)
WHERE id = $1 AND lease_token = $2
"""
_ANSWERED_WRITE: Final = "UPDATE removals SET write_at = NULL WHERE id = $1 AND lease_token = $2"
_RENEW: Final = "UPDATE removals SET lease_until = now() + make_interval(secs => $3) WHERE id = $1 AND lease_token = $2"
_GO_ON: Final = f"""
UPDATE agents SET next_due = now()
WHERE vapi_account = $1 AND vapi_assistant_id = $2 AND failure_code = '{ErrorCode.ASSISTANT_BEING_RELEASED.value}'
"""
_PENDING: Final = "SELECT org_id, agent_id FROM removals WHERE vapi_account = $1 AND released_assistant_id = $2"
_RELEASE_TOO: Final = "SELECT release_assistant($1, $2, $3, $4)"
_INSTEAD: Final = """
UPDATE removals SET released_assistant_id = vapi_assistant_id, vapi_assistant_id = NULL, lease_token = NULL,
       lease_until = NULL WHERE id = $1 AND lease_token = $2
"""
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
    """An assistant that has to go, or be released, under our lease.

    Without ``assistant_id`` what ``attempt_id`` made has to be found first.
    """

    id: int
    token: UUID
    org_id: UUID
    agent_id: str
    vapi_account: str
    assistant_id: str | None
    releases: bool
    attempt_id: UUID | None
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
    connection: Connection, clinics: Clinics, *, limit: int, lease_seconds: float, settle_seconds: float
) -> Sequence[Removal]:
    """Take at most ``limit`` removals of ``clinics`` that are due; nobody else gets them while the lease lasts."""
    token = uuids.uuid4()
    rows = await connection.fetch(_CLAIM, settle_seconds, token, lease_seconds, limit, clinics.only, list(clinics.but))
    return [Removal(token=token, **dict(row)) for row in rows]


async def owner_of(connection: Connection, removal: Removal) -> Owner | None:
    """Who has the id of the removal's agent now."""
    row = await connection.fetchrow(_OWNER, removal.org_id, removal.agent_id)
    return None if row is None else Owner(row["vapi_assistant_id"], row["attempt_id"] is not None)


async def holder_of(connection: Connection, removal: Removal, assistant_id: str) -> tuple[UUID, str] | None:
    """Organization and id of the agent whose row names an assistant by now."""
    row = await connection.fetchrow(_HOLDER, removal.vapi_account, assistant_id)
    return None if row is None else (row["org_id"], row["id"])


async def begin_write(connection: Connection, removal: Removal, lease_seconds: float) -> bool:
    """Write down that a write to Vapi is about to be sent; False where the row is not ours any more."""
    return str(await connection.execute(_BEGIN, removal.id, removal.token, lease_seconds)) == "UPDATE 1"


async def write_answered(connection: Connection, removal: Removal) -> None:
    """The write that was begun has been answered, or was not sent: it will not land any more."""
    await connection.execute(_ANSWERED_WRITE, removal.id, removal.token)


async def renew(connection: Connection, removal: Removal, lease_seconds: float) -> bool:
    """Keep the lease; False where it is lost."""
    return str(await connection.execute(_RENEW, removal.id, removal.token, lease_seconds)) == "UPDATE 1"


async def release_instead(connection: Connection, removal: Removal) -> None:
    """Somebody else's mark is on an assistant that was to be deleted: it stays, and what is ours is taken out."""
    await connection.execute(_INSTEAD, removal.id, removal.token)


async def release_too(connection: Connection, removal: Removal, assistant_id: str) -> None:
    """Have an assistant released that was found for a removal, and that another agent has by now."""
    await connection.execute(_RELEASE_TOO, removal.org_id, removal.agent_id, removal.vapi_account, assistant_id)


async def who_leaves(connection: Connection, vapi_account: str, assistant_id: str) -> list[tuple[UUID, str]]:
    """The agents, by organization and id, that have still to be taken out of an assistant."""
    return [(row["org_id"], row["agent_id"]) for row in await connection.fetch(_PENDING, vapi_account, assistant_id)]


async def done(connection: Connection, removal: Removal) -> None:
    """Nothing is left to do; who waited for it is due. Not in a transaction.

    A statement on an agent locks its row first and then, by trigger, its removals; the other way round is a deadlock.
    """
    await connection.execute(_DONE, removal.id, removal.token)
    if removal.releases:
        await connection.execute(_GO_ON, removal.vapi_account, removal.assistant_id)


async def later(connection: Connection, removal: Removal, delay_seconds: float, reason: Later) -> None:
    """Due again after the delay; what counts makes the next delay longer."""
    counted = int(reason.counts_as_attempt)
    await connection.execute(_LATER, removal.id, removal.token, delay_seconds, reason.code.value, counted)


async def remove_made(
    connection: Connection, org_id: UUID, agent_id: str, vapi_account: str, assistant_id: str, attempt_id: UUID
) -> None:
    """Have an assistant removed whose creation was answered too late; call it in a transaction.

    The wish to look for what that attempt made, where there is one, ends: this is it.
    """
    await connection.execute(_ANSWERED, attempt_id)
    await connection.execute(MADE, org_id, agent_id, vapi_account, assistant_id)

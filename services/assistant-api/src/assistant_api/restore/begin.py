"""`assistant-api restore`: begin again after the database was restored.

In one transaction, while nothing runs: another log id for `assistants.v1`, revisions above all that was published, what
Vapi has and no agent names, and every agent to be brought to Vapi once more, as bulk work. An agent whose assistant is
gone at Vapi is left alone until somebody saves it: it was deleted after the backup, as far as anybody can tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import asyncpg

from assistant_api.db import claim_installation
from assistant_api.restore.marked import Listing
from zerotouch_platform.vapi.envelope import Sealed

_SESSIONS: Final = """
SELECT DISTINCT application_name FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'assistant-api%'
ORDER BY application_name
"""
_BEGIN: Final = """
UPDATE installation SET log_id = gen_random_uuid(), restored_at = clock_timestamp(),
       revision_floor = greatest(revision_floor, floor(extract(epoch FROM clock_timestamp()))::bigint)
RETURNING log_id
"""
_LOST: Final = """
INSERT INTO lost_assistants AS l (vapi_account, vapi_assistant_id, org_id, agent_id, made, created_at)
SELECT $1, n.assistant_id, n.org_id, n.agent_id, n.made, n.created_at
FROM unnest($2::text[], $3::uuid[], $4::text[], $5::boolean[], $6::timestamptz[])
     AS n(assistant_id, org_id, agent_id, made, created_at)
WHERE NOT EXISTS (SELECT FROM agents a WHERE a.vapi_account = $1 AND a.vapi_assistant_id = n.assistant_id)
ON CONFLICT DO NOTHING
"""
# Offsets are Kafka's: what was said since the backup is not read again.
_FORGET: Final = "DELETE FROM known_tools"
# The topic has names that the rows do not know, and the rows may have older ones (ADR 65).
_COMPARE_NAMES: Final = "UPDATE name_checks SET due_at = now()"
_ORPHANS: Final = """
SELECT l.org_id, l.agent_id, l.vapi_assistant_id FROM lost_assistants l
WHERE NOT EXISTS (SELECT FROM agents a WHERE a.org_id = l.org_id AND a.id = l.agent_id AND a.vapi_assistant_id IS NULL)
ORDER BY l.org_id, l.agent_id, l.created_at
"""
_GONE: Final = """
SELECT org_id, id AS agent_id, vapi_assistant_id FROM agents
WHERE vapi_account = $1 AND vapi_seen AND vapi_assistant_id <> ALL ($2::text[]) ORDER BY org_id, id
"""
_BULK: Final = "SELECT set_config('app.cause', 'auto_sync', true)"
_SAVE_AGAIN: Final = """
UPDATE agents SET saved_revision = saved_revision + 1
WHERE NOT (vapi_account = $1 AND vapi_seen AND vapi_assistant_id IS NOT NULL AND vapi_assistant_id <> ALL ($2::text[]))
  AND CASE WHEN $3 THEN vapi_account = $1 ELSE vapi_account <> ALL ($4::text[]) END
"""
_OWN: Final = """
SELECT DISTINCT ON (account) org_id, account, sealed_key, key_fingerprint FROM vapi_accounts ORDER BY account
"""


NO_OTHERS: Final[Mapping[str, Listing]] = MappingProxyType({})


class ServiceRuns(Exception):
    """Processes of assistant-api are connected: stop them first."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An agent and an assistant at Vapi that do not find each other."""

    org_id: UUID
    agent_id: str
    assistant_id: str


@dataclass(frozen=True, slots=True)
class Begun:
    """``orphans`` are at Vapi, marked, and no agent's; ``gone`` are agents whose assistants are not there any more."""

    log_id: UUID
    saved_again: int
    orphans: tuple[Pair, ...]
    gone: tuple[Pair, ...]


async def require_stopped(connection: asyncpg.Connection) -> None:
    """Raises :class:`ServiceRuns`."""
    if names := [row["application_name"] for row in await connection.fetch(_SESSIONS)]:
        raise ServiceRuns(f"assistant-api is still connected ({', '.join(names)}); stop it first")


async def own_keys(connection: asyncpg.Connection) -> list[Sealed]:
    """A sealed key of each account that clinics have of their own."""
    rows = await connection.fetch(_OWN)
    return [Sealed(row["org_id"], row["account"], row["sealed_key"], row["key_fingerprint"]) for row in rows]


async def begin_again(
    connection: asyncpg.Connection,
    account: str,
    installation_id: UUID,
    at_vapi: Listing,
    own: Mapping[str, Listing] = NO_OTHERS,
) -> Begun:
    """Begin again; needs the owner's role. ``own``: what is in the accounts that clinics have of their own.

    Raises :class:`ServiceRuns` and :class:`~zerotouch_platform.postgres.installation.ForeignInstallation`.
    """
    listings = {account: at_vapi, **own}
    gone: list[Any] = []
    saved_again = 0
    async with connection.transaction():
        await require_stopped(connection)
        await claim_installation(connection, installation_id)
        log_id = await connection.fetchval(_BEGIN)
        await connection.execute(_FORGET)
        await connection.execute(_COMPARE_NAMES)
        for name, listing in listings.items():
            await connection.execute(_LOST, name, *_columns(listing))
        orphans = await connection.fetch(_ORPHANS)
        await connection.execute(_BULK)
        for name, listing in listings.items():
            ids = sorted(listing.ids)
            gone += await connection.fetch(_GONE, name, ids)
            status = await connection.execute(_SAVE_AGAIN, name, ids, name in own, list(own))
            saved_again += int(status.rpartition(" ")[2])
    return Begun(log_id, saved_again, _pairs(orphans), _pairs(gone))


def _columns(at_vapi: Listing) -> tuple[list[Any], ...]:
    rows = [(one.assistant_id, one.mark.org_id, one.mark.agent_id, one.made, one.created_at) for one in at_vapi.marked]
    return tuple(map(list, zip(*rows, strict=True))) or ([],) * 5


def _pairs(rows: Sequence[Any]) -> tuple[Pair, ...]:
    return tuple(Pair(row["org_id"], row["agent_id"], row["vapi_assistant_id"]) for row in rows)

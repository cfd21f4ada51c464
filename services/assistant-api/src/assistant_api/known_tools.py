"""The tools that a clinic is known to have: which of them may be written along with the creation of an assistant.

A second assistant of a clinic whose tools exist then needs no PATCH: tool-sync reads it and finds everything linked.
The danger is an id whose tool is deleted meanwhile, as it fails every call. A tool is deleted a grace after the newest
outcome that names it at the earliest, so an id is used for a quarter of the grace only (ADR 35).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from assistant_api.db import Connection

SHARE_OF_GRACE: Final = 0.25
"""The rest is for what no rule sees: a sender that sleeps, a request that lands late, clocks that differ."""
BEHIND_SECONDS_MAX: Final = 60.0
"""A consumer that is further behind does not know which outcome is the newest one."""

# The followed log was decided before, under a lock: a row of another log is an older log's.
_KEEP: Final = """
INSERT INTO known_tools AS kept (org_id, log_id, sequence, vapi_account, tool_ids, occurred_at)
SELECT n.org_id, n.log_id, n.sequence, n.vapi_account, string_to_array(n.tool_ids, ','), n.occurred_at
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[])
     AS n(org_id, log_id, sequence, vapi_account, tool_ids, occurred_at)
JOIN organizations o ON o.id = n.org_id
ORDER BY n.org_id
ON CONFLICT (org_id) DO UPDATE SET
       log_id = excluded.log_id, sequence = excluded.sequence, vapi_account = excluded.vapi_account,
       tool_ids = excluded.tool_ids, occurred_at = excluded.occurred_at, stored_at = excluded.stored_at
WHERE kept.log_id <> excluded.log_id OR kept.sequence < excluded.sequence
"""
# By the clock that makes it older: tool-sync's database may be ahead of this one, and a record may have come late.
_READ: Final = """
SELECT k.vapi_account, k.tool_ids,
       extract(epoch FROM clock_timestamp() - least(k.occurred_at, k.stored_at))::float8 AS age_seconds
FROM known_tools k JOIN followed_logs f ON f.org_id = k.org_id AND f.log_id = k.log_id
WHERE k.org_id = $1
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What a clinic's newest outcome says: the ids of its tools at Vapi, () where it failed or names none."""

    org_id: UUID
    log_id: UUID
    sequence: int
    vapi_account: str
    tool_ids: tuple[str, ...]
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class KnownTools:
    """The same, as it is read back: ``age_seconds`` by the clock that makes it older."""

    vapi_account: str
    tool_ids: tuple[str, ...]
    age_seconds: float


def usable(known: KnownTools | None, *, vapi_account: str, grace_seconds: float, behind_seconds: float) -> list[str]:
    """The ids that a creation may carry, if it is sent at once; [] where nothing is sure.

    ``grace_seconds``: tool-sync's, for which a tool that nobody wants is kept. ``behind_seconds``: how long ago the
    outcomes' consumers had read everything that was there.
    """
    if known is None or known.vapi_account != vapi_account or behind_seconds > BEHIND_SECONDS_MAX:
        return []
    return list(known.tool_ids) if known.age_seconds < SHARE_OF_GRACE * grace_seconds else []


async def keep(connection: Connection, told: Sequence[Told]) -> None:
    """Store what the newest outcomes say, at most one a clinic; an older one than is kept changes nothing."""
    if told:
        rows = [
            (one.org_id, one.log_id, one.sequence, one.vapi_account, ",".join(one.tool_ids), one.occurred_at)
            for one in told
        ]
        await connection.execute(_KEEP, *map(list, zip(*rows, strict=True)))


async def read(connection: Connection, org_id: UUID) -> KnownTools | None:
    """What the clinic's newest outcome says; None where the log that is followed has said nothing yet."""
    row = await connection.fetchrow(_READ, org_id)
    return None if row is None else KnownTools(row["vapi_account"], tuple(row["tool_ids"]), row["age_seconds"])

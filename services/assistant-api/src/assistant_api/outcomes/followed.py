"""The table `followed_logs`: which log of tool-sync's is followed for each organization."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from assistant_api.db import Connection
from zerotouch_contracts.subscriber import Followed

# Locked, so that two replicas that hold the same partition for a moment decide one after the other.
_READ: Final = """
SELECT org_id, log_id, newest_at, former FROM followed_logs WHERE org_id = ANY($1::uuid[]) ORDER BY org_id FOR UPDATE
"""
_KEEP: Final = """
INSERT INTO followed_logs AS kept (org_id, log_id, newest_at, former)
SELECT n.org_id, n.log_id, n.newest_at, string_to_array(n.former, ',')::uuid[]
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[]) AS n(org_id, log_id, newest_at, former)
JOIN organizations o ON o.id = n.org_id
ORDER BY n.org_id
ON CONFLICT (org_id) DO UPDATE
SET log_id = excluded.log_id, newest_at = excluded.newest_at, former = excluded.former
"""


async def read_followed(connection: Connection, org_ids: list[UUID]) -> dict[UUID, Followed]:
    """What is followed for these organizations, as far as anything is; locked until the transaction ends."""
    return {
        row["org_id"]: Followed(row["log_id"], row["newest_at"], frozenset(row["former"]))
        for row in await connection.fetch(_READ, org_ids)
    }


async def keep_followed(connection: Connection, followed: Mapping[UUID, Followed]) -> None:
    """Store it, as far as the organizations are still there."""
    await connection.execute(
        _KEEP,
        list(followed),
        [one.log_id for one in followed.values()],
        [one.newest_at for one in followed.values()],
        [",".join(sorted(str(log_id) for log_id in one.former)) for one in followed.values()],
    )

"""How often a caller may be wrong about an appointment: three times in a conversation.

Where no conversation is known, three times an hour for a number. The table has no number: only a keyed hash.
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from assistant_api.appointments.phones import Phone
from assistant_api.db import Connection

TRIES_MAX: Final = 3
"""After so many misses nothing is found any more, whatever is said."""

_READ: Final = "SELECT misses FROM missed_claims WHERE org_id = $1 AND scope = $2"
_MISS: Final = """
INSERT INTO missed_claims AS kept (org_id, scope) VALUES ($1, $2)
ON CONFLICT (org_id, scope) DO UPDATE SET misses = kept.misses + 1, missed_at = now()
"""


def scope_of(conversation: str, phone: Phone | None, *, secret: bytes, now: datetime) -> str:
    """Where the misses of a claim are counted: its conversation, else the number that was said, in this hour."""
    if conversation:
        return conversation
    counted = json.dumps([None if phone is None else phone.key, f"{now.astimezone(UTC):%Y-%m-%dT%H}"])
    return f"number {hmac.new(secret, counted.encode('ascii'), hashlib.sha256).hexdigest()}"  # no id has a space


async def may_try(connection: Connection, org_id: UUID, scope: str) -> bool:
    """Whether a try is left. Tries of one clinic must not run at the same time: `find` has its lock."""
    misses = await connection.fetchval(_READ, org_id, scope)
    return (misses or 0) < TRIES_MAX


async def note_miss(connection: Connection, org_id: UUID, scope: str) -> None:
    """Count a miss, in the caller's transaction."""
    await connection.execute(_MISS, org_id, scope)

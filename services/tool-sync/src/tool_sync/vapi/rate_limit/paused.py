"""Which keys are paused, and why: for people, read from the database alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from tool_sync.db import Connection
from zerotouch_contracts.errors import CATALOGUE, ErrorCode, entry_of

IN_USE: Final = timedelta(minutes=10)
"""A key that is not the newest is shown for so long after its last pause: with several processes, two are in use for a
while. A paused key that is still in use is tried about once a minute."""

_CODE_OF_REASON: Final = MappingProxyType(
    {
        "refused": ErrorCode.VAPI_KEY_REFUSED,
        "rate_limited": ErrorCode.VAPI_RATE_LIMITED,
        "broken": ErrorCode.VAPI_UNREACHABLE,
    }
)
"""Where the answer's own code was not written down."""

_PAUSED: Final = """
SELECT k.key, k.paused_until, k.paused_since, k.pause_reason, k.pause_code
  FROM vapi_keys k
 WHERE (k.half_open OR k.paused_until > clock_timestamp())
   AND (k.opened_at IS NOT DISTINCT FROM (SELECT max(opened_at) FROM vapi_keys)
        OR k.paused_until > clock_timestamp() - $1::interval)
 ORDER BY k.opened_at DESC NULLS LAST, k.key
"""


@dataclass(frozen=True, slots=True)
class PausedKey:
    """A key that nothing is sent with. ``fingerprint`` names it without telling it.

    ``reason``: refused, broken or rate_limited. ``until``: when one call tries whether it works again.
    """

    fingerprint: str
    since: datetime
    until: datetime | None
    reason: str
    code: str
    title: str
    who_acts: str
    what_to_do: str


async def paused_keys(connection: Connection) -> tuple[PausedKey, ...]:
    """The keys in use that are paused, the newest first. Belongs to no org: needs the service's role."""
    return tuple(
        _paused(row["key"], row["paused_since"], row["paused_until"], row["pause_reason"], row["pause_code"])
        for row in await connection.fetch(_PAUSED, IN_USE)
    )


def _paused(key: str, since: datetime, until: datetime | None, reason: str, code: str | None) -> PausedKey:
    entry = entry_of(code) or CATALOGUE[_CODE_OF_REASON.get(reason, ErrorCode.VAPI_KEY_REFUSED)]
    return PausedKey(key, since, until, reason, code or entry.code.value, entry.title, entry.who_acts, entry.what_to_do)

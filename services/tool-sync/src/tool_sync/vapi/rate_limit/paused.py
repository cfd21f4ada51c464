"""Which keys are paused, and why: for people, read from the database alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

import asyncpg

from tool_sync.db import Connection
from tool_sync.vapi.rate_limit.table import UNUSABLE
from zerotouch_contracts.errors import CATALOGUE, ErrorCode, entry_of

IN_USE: Final = timedelta(minutes=10)
"""A key that is not the newest is shown for so long after its last pause: with several processes, two are in use for a
while. A paused key that is still in use is tried about once a minute."""

_CODE_OF_REASON: Final = MappingProxyType(
    {
        "refused": ErrorCode.VAPI_KEY_REFUSED,
        "rate_limited": ErrorCode.VAPI_RATE_LIMITED,
        "broken": ErrorCode.VAPI_UNREACHABLE,
        UNUSABLE: ErrorCode.VAPI_KEY_SEALED,
    }
)
"""Where the answer's own code was not written down."""

_PAUSED: Final = """
SELECT k.key, k.paused_until, k.paused_since, k.pause_reason, k.pause_code, k.account
  FROM vapi_keys k
 WHERE (k.half_open OR k.paused_until > clock_timestamp())
   AND (k.opened_at IS NOT DISTINCT FROM (SELECT max(o.opened_at) FROM vapi_keys o
                                           WHERE o.account IS NOT DISTINCT FROM k.account)
        OR k.paused_until > clock_timestamp() - $1::interval)
 ORDER BY k.account NULLS FIRST, k.opened_at DESC NULLS LAST, k.key
"""


_WHOSE: Final = """
SELECT v.account, l.waits_for_key
  FROM (SELECT $1::uuid AS org_id) o LEFT JOIN vapi_accounts v USING (org_id) LEFT JOIN leases l USING (org_id)
"""


@dataclass(frozen=True, slots=True)
class PausedKey:
    """A key that nothing is sent with. ``fingerprint`` names it without telling it.

    ``reason``: refused, broken, rate_limited or unusable. ``until``: when one call tries whether it works again.
    ``account``: whose key it is; None: the platform's.
    """

    fingerprint: str
    since: datetime
    until: datetime | None
    reason: str
    code: str
    title: str
    who_acts: str
    what_to_do: str
    account: str | None = None

    def holds(self, account: str | None, waits_for_key: str | None) -> bool:
        """Whether it holds up an org that has this account of its own, None where it has none, and waits for a key."""
        return self.account == account or self.fingerprint == waits_for_key

    @property
    def whose(self) -> str:
        """In words, behind `key`: nothing where it is the platform's."""
        return "" if self.account is None else f" of account {self.account}"


async def paused_keys(connection: Connection) -> tuple[PausedKey, ...]:
    """The keys in use that are paused, the platform's and then the newest first. Needs the service's role."""
    return tuple(map(_paused, await connection.fetch(_PAUSED, IN_USE)))


async def keys_holding(connection: Connection, org_id: UUID) -> tuple[PausedKey, ...]:
    """Those of them that an org's work waits for. Needs the service's role."""
    row = await connection.fetchrow(_WHOSE, org_id)
    assert row is not None
    return tuple(key for key in await paused_keys(connection) if key.holds(row["account"], row["waits_for_key"]))


def _paused(row: asyncpg.Record) -> PausedKey:
    reason, code = row["pause_reason"], row["pause_code"]
    entry = entry_of(code) or CATALOGUE[_CODE_OF_REASON.get(reason, ErrorCode.VAPI_KEY_REFUSED)]
    return PausedKey(
        row["key"], row["paused_since"], row["paused_until"], reason, code or entry.code.value,
        entry.title, entry.who_acts, entry.what_to_do, row["account"],
    )  # fmt: skip

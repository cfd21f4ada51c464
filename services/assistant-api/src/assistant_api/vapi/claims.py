"""Work is claimed of those clinics whose key works. One statement reads the keys that are in trouble, of all accounts.

no key is in trouble     everybody's work, and nothing else is asked
a key is paused          not that of its clinics; of the platform's: that of clinics with an account of their own
a key is half-open       one piece of work of its clinics, by one replica, finds out whether it works
a sealed key is shut     not that of its clinic (`accounts.py`)
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from assistant_api.db import Connection
from assistant_api.settings import Settings
from assistant_api.vapi.accounts import Accounts

Item = TypeVar("Item")

TRIED_AT_ONCE: Final = 20
"""Half-open keys of which one claim tries one piece of work each; the others are tried by the next."""

_TROUBLED: Final = """
SELECT k.key, extract(epoch FROM k.paused_until - now())::float8 AS left_seconds, k.half_open, k.reason,
       ARRAY(SELECT a.org_id FROM vapi_accounts a WHERE a.key_fingerprint = k.key) AS clinics
FROM vapi_keys k
WHERE k.key = $1 OR k.key IN (SELECT key_fingerprint FROM vapi_accounts)
ORDER BY k.paused_until
"""
_WITH_OWN: Final = "SELECT org_id FROM vapi_accounts"
_LOCK: Final = """
SELECT true FROM vapi_keys WHERE key = $1 AND half_open AND paused_until <= now() FOR UPDATE SKIP LOCKED
"""
_TRY: Final = "UPDATE vapi_keys SET paused_until = now() + make_interval(secs => $2) WHERE key = $1"


@dataclass(frozen=True, slots=True)
class Clinics:
    """Whose work may be claimed: of those in ``only``, or of everybody where that is None; in no case of ``but``."""

    only: Sequence[UUID] | None = None
    but: Sequence[UUID] = ()


EVERYBODY: Final = Clinics()

Claim = Callable[[int, Clinics], Awaitable[Sequence[Item]]]
"""Claims at most so much of theirs."""


class Claims:
    """Asked by every loop that claims work for Vapi."""

    def __init__(self, accounts: Accounts, settings: Settings) -> None:
        self._accounts, self._settings = accounts, settings

    async def of(self, connection: Connection, limit: int, claim: Claim[Item]) -> Sequence[Item]:
        """What ``claim`` takes of those whose key works, and one piece for each key that is to be tried."""
        platform = self._accounts.platform.vapi.key
        rows = await connection.fetch(_TROUBLED, platform.fingerprint)
        troubled = {row["key"]: row for row in rows if row["left_seconds"] > 0 or row["half_open"]}
        self._note(troubled)
        waits = {org_id for row in troubled.values() for org_id in row["clinics"]}.union(self._accounts.sealed)
        own: Sequence[UUID] | None = None
        if platform.fingerprint in troubled or platform.waits_untold:
            own = [row["org_id"] for row in await connection.fetch(_WITH_OWN)]
        items: list[Item] = []
        tried = [row for row in troubled.values() if row["left_seconds"] <= 0]
        for row in tried[: min(TRIED_AT_ONCE, limit)]:
            clinics = Clinics(but=own or ()) if row["key"] == platform.fingerprint else self._unsealed(row["clinics"])
            items += await self._try(connection, row["key"], clinics, claim)
        works = Clinics(but=tuple(waits)) if own is None else Clinics(only=[one for one in own if one not in waits])
        if len(items) < limit and (works.only is None or works.only):
            items += await claim(limit - len(items), works)
        return items

    def _note(self, troubled: Mapping[str, Any]) -> None:
        for key in self._accounts.keys:
            row = troubled.get(key.fingerprint)
            if row is None:
                key.works()
            elif row["left_seconds"] > 0:
                key.waits(row["left_seconds"], row["reason"])

    def _unsealed(self, clinics: Sequence[UUID]) -> Clinics:
        sealed = set(self._accounts.sealed)
        return Clinics(only=[org_id for org_id in clinics if org_id not in sealed])

    async def _try(
        self, connection: Connection, fingerprint: str, clinics: Clinics, claim: Claim[Item]
    ) -> Sequence[Item]:
        if clinics.only is not None and not clinics.only:
            return ()
        async with connection.transaction():
            if not await connection.fetchval(_LOCK, fingerprint):  # another replica tries it
                return ()
            items = await claim(1, clinics)
            if items:
                await connection.execute(_TRY, fingerprint, self._settings.lease_seconds)
                self._accounts.key_of(fingerprint).is_tried()
        return items

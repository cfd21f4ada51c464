"""All sealed keys under the newest envelope key: `assistant-api vapi-keys rotate-envelope`.

Row by row, in the order of the clinics. Each is a transaction of its own and is told on `vapi-accounts.v1`; one that
was sealed with the newest envelope key is passed over, so that whoever is cut off begins again and goes on.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from zerotouch_platform.postgres.pool import Connection
from zerotouch_platform.vapi.envelope import CannotOpen, EnvelopeKeys, Sealed

ROWS_MAX: Final = 100

_PAGE: Final = """
SELECT org_id, account, sealed_key, key_fingerprint FROM vapi_accounts
WHERE org_id > $1 AND split_part(sealed_key, '.', 1) <> $2 ORDER BY org_id LIMIT $3
"""
# Whoever stores another key meanwhile is right.
_RESEAL: Final = """
UPDATE vapi_accounts SET sealed_key = $3 WHERE org_id = $1 AND sealed_key = $2
"""
_COUNT: Final = "SELECT count(*) FROM vapi_accounts"


@dataclass(frozen=True, slots=True)
class Resealed:
    """``changed``: somebody stored another key meanwhile. ``shut``: clinics whose key does not open, and why."""

    accounts: int
    resealed: int
    changed: int
    shut: tuple[tuple[UUID, str], ...]

    @property
    def newest_already(self) -> int:
        """Those that were sealed with the newest envelope key before."""
        return self.accounts - self.resealed - self.changed - len(self.shut)


async def reseal(connection: Connection, keys: EnvelopeKeys) -> Resealed:
    """Seal every key with the newest envelope key that is not."""
    after, resealed, changed = UUID(int=0), 0, 0
    shut: list[tuple[UUID, str]] = []
    accounts = int(await connection.fetchval(_COUNT))
    while rows := await connection.fetch(_PAGE, after, keys.newest_id, ROWS_MAX):
        after = rows[-1]["org_id"]
        for row in rows:
            sealed = Sealed(row["org_id"], row["account"], row["sealed_key"], row["key_fingerprint"])
            try:
                newer = keys.seal(keys.open(sealed), sealed.org_id, sealed.account)
            except CannotOpen as error:
                shut.append((sealed.org_id, str(error)))
                continue
            status = await connection.execute(_RESEAL, sealed.org_id, sealed.text, newer.text)
            if status == "UPDATE 1":
                resealed += 1
            else:
                changed += 1
    return Resealed(accounts, resealed, changed, tuple(shut))

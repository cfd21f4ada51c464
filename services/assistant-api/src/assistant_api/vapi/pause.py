"""What is said of a paused key: which trouble, since when, and who acts. For the status and `/readyz`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from assistant_api.db import Connection
from zerotouch_contracts.errors import CATALOGUE, ErrorCode

REFUSED: Final = frozenset({ErrorCode.VAPI_KEY_REFUSED, ErrorCode.VAPI_PAYMENT_REQUIRED})
"""Troubles that only a person ends."""

CODES: Final = {
    "refused": ErrorCode.VAPI_KEY_REFUSED,
    "unpaid": ErrorCode.VAPI_PAYMENT_REQUIRED,
    "rate_limited": ErrorCode.VAPI_RATE_LIMITED,
    "broken": ErrorCode.VAPI_UNREACHABLE,
}
"""By the trouble that paused the key."""

# Between two pauses a refused key is tried by whoever has work for it. A row that nobody renews any more is one that
# nobody has work for: whether the key works now is not known, and nothing is said of it.
_READ: Final = """
SELECT reason, since, extract(epoch FROM now() - since)::float8 AS age_seconds FROM vapi_keys
WHERE key = coalesce((SELECT key_fingerprint FROM vapi_accounts WHERE org_id = $2), $1)
  AND paused_until > now() - CASE WHEN half_open THEN interval '2 minutes' ELSE interval '0' END
"""


@dataclass(frozen=True, slots=True)
class KeyPause:
    """The key's trouble. ``age_seconds`` by the database's clock."""

    code: ErrorCode
    since: datetime
    age_seconds: float

    @property
    def needs_a_person(self) -> bool:
        """Whether it lasts until somebody does something."""
        return self.code in REFUSED

    def sentence(self) -> str:
        """What is so, since when, and who acts."""
        entry = CATALOGUE[self.code]
        since = self.since.strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"{entry.meaning} Since {since}. Who acts: {entry.who_acts}. {entry.what_to_do}"

    def shown(self) -> dict[str, Any]:
        """As `/readyz` has it."""
        entry = CATALOGUE[self.code]
        return {
            "code": self.code.value,
            "title": entry.title,
            "since": self.since.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "seconds": round(self.age_seconds),
            "whoActs": entry.who_acts,
            "whatToDo": entry.what_to_do,
        }


# As above, for accounts of clinics.
_OWN: Final = """
SELECT DISTINCT ON (k.key) a.account, k.reason, k.since, extract(epoch FROM now() - k.since)::float8 AS age_seconds
FROM vapi_keys k JOIN vapi_accounts a ON a.key_fingerprint = k.key
WHERE k.half_open AND k.paused_until > now() - interval '2 minutes' AND k.reason = ANY ($1::text[])
ORDER BY k.key LIMIT $2
"""
ACCOUNTS_SHOWN_MAX: Final = 50


async def own_accounts_refused(connection: Connection) -> list[dict[str, Any]]:
    """Clinics' own accounts whose key needs a person, as `/readyz` has them; some of very many."""
    reasons = [reason for reason, code in CODES.items() if code in REFUSED]
    rows = await connection.fetch(_OWN, reasons, ACCOUNTS_SHOWN_MAX)
    return [
        {"account": row["account"], **KeyPause(CODES[row["reason"]], row["since"], row["age_seconds"]).shown()}
        for row in rows
    ]


async def read_pause(connection: Connection, fingerprint: str, org_id: UUID | None = None) -> KeyPause | None:
    """The trouble of the key that a clinic is served with, or of the platform's; None where it works, or where nobody
    knows. ``fingerprint``: the platform's."""
    row = await connection.fetchrow(_READ, fingerprint, org_id)
    if row is None or row["reason"] not in CODES:
        return None
    return KeyPause(CODES[row["reason"]], row["since"], row["age_seconds"])

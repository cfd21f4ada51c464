"""The table ``notice_endpoints``: where a clinic wants its notices, and how sending them goes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from tool_sync.db import Connection, Pool
from tool_sync.log.head import read_head
from tool_sync.notices.signing import SecretBox, new_secret

OLD_SECRET_LASTS: Final = timedelta(days=1)
"""After a rotation both secrets sign for so long."""

State = Literal["works", "failing", "disabled"]
WHY_DISABLED: Final = {
    "gave_up": "nothing was taken for a day",
    "gone": "the receiver answered 410: it does not want notices any more",
    "secret_unreadable": "the secret cannot be opened with the key of now: ask for a new one",
}

_COLUMNS: Final = """
e.org_id, e.url, e.secret_made_at, CASE WHEN e.old_until > clock_timestamp() THEN e.old_until END AS old_secret_until,
e.set_at, e.set_by, e.failing_since, e.next_try_at, e.last_try_at, e.last_problem, e.delivered_at, e.disabled_at,
e.disabled_why
"""
_SHOWN: Final = f"""
SELECT {_COLUMNS}, (SELECT count(*) FROM notices n WHERE n.org_id = e.org_id AND n.delivered_at IS NULL) AS waiting
  FROM notice_endpoints e WHERE e.org_id = $1
"""  # noqa: S608 - constants
_LOCKED: Final = "SELECT sealed_secret FROM notice_endpoints WHERE org_id = $1 FOR UPDATE"
_NEWEST: Final = "SELECT org_id, sealed_secret FROM notice_endpoints ORDER BY secret_made_at DESC LIMIT 1"
_OPEN: Final = "SELECT NOT closed FROM organizations WHERE id = $1"
# A clinic that is deleted at this moment may leave the row; the sender's next look takes it away.
_MAKE: Final = """
INSERT INTO notice_endpoints (org_id, url, sealed_secret, secret_made_at, set_at, set_by, told_position)
VALUES ($1, $2, $3, clock_timestamp(), clock_timestamp(), $4, $5)
"""
# Whatever was wrong with the old one says nothing of the new one.
_CHANGE: Final = """
UPDATE notice_endpoints
   SET url = $2, set_at = clock_timestamp(), set_by = $4, tries = 0, failing_since = NULL, next_try_at = NULL,
       last_problem = NULL, disabled_at = NULL, disabled_why = NULL,
       sealed_old = CASE WHEN $3::text IS NULL THEN sealed_old ELSE sealed_secret END,
       old_until = CASE WHEN $3 IS NULL THEN old_until ELSE clock_timestamp() + $5::interval END,
       secret_made_at = CASE WHEN $3 IS NULL THEN secret_made_at ELSE clock_timestamp() END,
       sealed_secret = coalesce($3, sealed_secret)
 WHERE org_id = $1
"""
_REMOVE: Final = "DELETE FROM notice_endpoints WHERE org_id = $1 RETURNING true"
_REPLAY: Final = """
UPDATE notice_endpoints
   SET tries = 0, failing_since = NULL, next_try_at = NULL, last_problem = NULL, disabled_at = NULL,
       disabled_why = NULL, set_at = clock_timestamp()
 WHERE org_id = $1 RETURNING true
"""
_DISABLED: Final = "SELECT count(*) FROM notice_endpoints WHERE disabled_at IS NOT NULL"
_FORGET_CLOSED: Final = """
DELETE FROM notice_endpoints e WHERE EXISTS (SELECT FROM organizations o WHERE o.id = e.org_id AND o.closed)
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a clinic's notices go; never its secrets. ``waiting``: so many are not delivered."""

    org_id: UUID
    url: str
    secret_made_at: datetime
    old_secret_until: datetime | None
    set_at: datetime
    set_by: str
    failing_since: datetime | None
    next_try_at: datetime | None
    last_try_at: datetime | None
    last_problem: str | None
    delivered_at: datetime | None
    disabled_at: datetime | None
    disabled_why: str | None
    waiting: int

    @property
    def state(self) -> State:
        """``failing``: the oldest one was not taken, and is tried again."""
        if self.disabled_at is not None:
            return "disabled"
        return "works" if self.failing_since is None else "failing"

    @property
    def why(self) -> str | None:
        """Why it does not work, as half a sentence; None where it does."""
        if self.disabled_why is not None:
            return WHY_DISABLED[self.disabled_why]
        return self.last_problem if self.failing_since is not None else None


class NoClinicToTell(Exception):
    """There is none with this id, or it was deleted (``is_closed``)."""

    def __init__(self, org_id: UUID, *, is_closed: bool) -> None:
        super().__init__(f"organization {org_id} was deleted" if is_closed else f"there is no organization {org_id}")
        self.is_closed = is_closed


async def endpoint_of(connection: Connection, org_id: UUID) -> Endpoint | None:
    """The clinic's, as the connection's role may see it."""
    row = await connection.fetchrow(_SHOWN, org_id)
    return None if row is None else Endpoint(**dict(row))


async def require_open(connection: Connection, org_id: UUID) -> None:
    """Raises :class:`NoClinicToTell`."""
    is_open = await connection.fetchval(_OPEN, org_id)
    if not is_open:
        raise NoClinicToTell(org_id, is_closed=is_open is not None)


async def set_endpoint(
    connection: Connection, box: SecretBox, org_id: UUID, url: str, *, rotate: bool, by: str
) -> tuple[Endpoint, str | None]:
    """Send the clinic's notices to ``url``, which was judged; and its secret where that is new: nobody sees it again.

    Raises :class:`NoClinicToTell`.
    """
    secret = new_secret()
    async with connection.transaction():
        is_new = await store_endpoint(connection, org_id, url, box.seal(org_id, secret), rotate=rotate, by=by)
        stored = await endpoint_of(connection, org_id)
    assert stored is not None
    return stored, secret if is_new else None


async def store_endpoint(connection: Connection, org_id: UUID, url: str, sealed: str, *, rotate: bool, by: str) -> bool:
    """Send the clinic's notices to ``url``; whether ``sealed`` is its secret now: it had none, or ``rotate`` asks so.

    Call it in a transaction. Raises :class:`NoClinicToTell`.
    """
    await require_open(connection, org_id)
    if await connection.fetchval(_LOCKED, org_id) is None:
        await connection.execute(_MAKE, org_id, url, sealed, by, await read_head(connection))
        return True
    await connection.execute(_CHANGE, org_id, url, sealed if rotate else None, by, OLD_SECRET_LASTS)
    return rotate


async def opens_newest(connection: Connection, box: SecretBox) -> bool:
    """Whether the secret that was made last, whosever it is, opens with this key; also where there is none."""
    row = await connection.fetchrow(_NEWEST)
    return row is None or box.open(row["org_id"], row["sealed_secret"]) is not None


async def remove_endpoint(connection: Connection, org_id: UUID) -> bool:
    """Send nothing any more, and forget what waits; whether there was anything."""
    return bool(await connection.fetchval(_REMOVE, org_id))


async def replay(connection: Connection, org_id: UUID) -> bool:
    """Begin anew with the oldest that was not delivered; False where the clinic wants no notices."""
    return bool(await connection.fetchval(_REPLAY, org_id))


async def count_disabled(connection: Connection) -> int:
    """How many clinics' notices are not sent any more."""
    return int(await connection.fetchval(_DISABLED))


async def forget_closed(pool: Pool) -> None:
    """Delete what deleted clinics left."""
    await pool.execute(_FORGET_CLOSED)

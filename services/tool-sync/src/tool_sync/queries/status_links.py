"""The table ``status_links``: addresses at which anybody who has one reads whether a clinic's assistants can book."""

import html
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from tool_sync.db import Connection, Pool

DAYS_DEFAULT: Final = 365
DAYS_MAX: Final = 400
"""A year, and time to change the address in a site before the old one ends."""
LABEL_CHARACTERS_MAX: Final = 100
LINKS_MAX: Final = 20
"""Of one clinic. Who has more has forgotten which site has which."""

TITLE: Final = "Can our assistant book?"
_FRAME: Final = '<iframe src="{src}" title="{title}" width="320" height="280" loading="lazy"></iframe>'

_COLUMNS: Final = "id, label, made_at, made_by, expires_at"
_IS_OPEN: Final = "SELECT NOT closed FROM organizations WHERE id = $1"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('status_links ' || $1::text, 0))"
_MAKE: Final = f"""
INSERT INTO status_links (id, org_id, code_hash, label, made_by, made_at, expires_at)
SELECT $1, $2, $3, $4, $5, clock_timestamp(), clock_timestamp() + $6::interval
 WHERE (SELECT count(*) FROM status_links WHERE org_id = $2 AND expires_at > clock_timestamp()) < $7
RETURNING {_COLUMNS}
"""  # noqa: S608 - constants
_LIST: Final = f"""
SELECT {_COLUMNS} FROM status_links WHERE org_id = $1 AND expires_at > clock_timestamp() ORDER BY made_at, id
"""  # noqa: S608
_WHOSE: Final = "SELECT org_id FROM status_links WHERE code_hash = $1 AND expires_at > clock_timestamp()"
_REMOVE: Final = "DELETE FROM status_links WHERE org_id = $1 AND id = $2 RETURNING true"
_FORGET: Final = """
DELETE FROM status_links l WHERE expires_at < clock_timestamp()
    OR EXISTS (SELECT FROM organizations o WHERE o.id = l.org_id AND o.closed)
"""


@dataclass(frozen=True, slots=True)
class StatusLink:
    """An address that was made, without the address: that is shown once."""

    id: UUID
    label: str
    made_at: datetime
    made_by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StatusLinkMade:
    """An address, now and never again: whoever has it reads the page. `html` is what embeds it."""

    id: UUID
    label: str
    made_at: datetime
    made_by: str
    expires_at: datetime
    url: str
    html: str


class NoStatusLink(Exception):
    """None is made for this organization; ``is_known``: there is such a one."""

    def __init__(self, why: str, *, is_known: bool) -> None:
        super().__init__(why)
        self.is_known = is_known


def label_of(text: str) -> str:
    """Where an address is used, as it is kept. Raises ``ValueError``, which says what is wrong with it."""
    text = text.strip()
    if not text or not text.isprintable():
        raise ValueError("must be one line that can be printed")
    if len(text) > LABEL_CHARACTERS_MAX:
        raise ValueError(f"must be {LABEL_CHARACTERS_MAX} characters at most")
    return text


def made_of(link: StatusLink, console_url: str, code: str) -> StatusLinkMade:
    """What is shown once of an address with this code, below the console's."""
    url = f"{console_url}/embed/{code}"
    frame = _FRAME.format(src=html.escape(url), title=TITLE)
    return StatusLinkMade(link.id, link.label, link.made_at, link.made_by, link.expires_at, url, frame)


async def make_status_link(
    connection: Connection, org_id: UUID, code: bytes, label: str, lasts: timedelta, by: str
) -> StatusLink:
    """Let the address with this code show the clinic for so long. Raises :class:`NoStatusLink`."""
    async with connection.transaction():
        is_open = await connection.fetchval(_IS_OPEN, org_id)
        if not is_open:
            why = f"there is no organization {org_id}" if is_open is None else f"organization {org_id} was deleted"
            raise NoStatusLink(why, is_known=is_open is not None)
        await connection.execute(_LOCK, str(org_id))
        row = await connection.fetchrow(_MAKE, uuid7(), org_id, _hash(code), label, by, lasts, LINKS_MAX)
    if row is None:
        raise NoStatusLink(f"organization {org_id} has {LINKS_MAX} status links: take one back first", is_known=True)
    return StatusLink(**dict(row))


async def status_links_of(connection: Connection, org_id: UUID) -> list[StatusLink]:
    """Those of the clinic that are good, oldest first, as the connection's role may see them."""
    return [StatusLink(**dict(row)) for row in await connection.fetch(_LIST, org_id)]


async def org_of(connection: Connection, code: bytes) -> UUID | None:
    """Whom the address with this code shows; None where it never was, has ended or was taken back."""
    org_id: UUID | None = await connection.fetchval(_WHOSE, _hash(code))
    return org_id


async def remove_status_link(connection: Connection, org_id: UUID, link_id: UUID) -> bool:
    """Take an address back, at once; False where the clinic has none of this id."""
    return bool(await connection.fetchval(_REMOVE, org_id, link_id))


async def forget_status_links(pool: Pool) -> None:
    """Delete those that have ended, and what clinics left that were deleted while one was made."""
    await pool.execute(_FORGET)


def _hash(code: bytes) -> bytes:
    return sha256(code).digest()

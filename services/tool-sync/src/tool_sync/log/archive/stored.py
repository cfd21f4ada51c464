"""What the database has of the log, for a copy of it: rows with the texts of their hashes, and whose log it is.

Each page is a statement of its own, by a key, and needs no snapshot beside the others': up to a head that was read,
positions have no holes and rows never change (ADR 2). A transaction over all of them would make appends slower.
"""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

import asyncpg

from tool_sync.db import Connection
from tool_sync.log.archive.errors import ArchiveRefused
from tool_sync.log.archive.manifest import ArchiveManifest
from tool_sync.log.heads import LogStands, read_stands
from zerotouch_platform.postgres.installation import read_installation

PAGE_EVENTS: Final = 2_000

_ROWS: Final = """
SELECT e.position, e.stream, e.version, e.event_id::text, e.org_id::text, e.type, e.schema, time_micros(e.recorded_at),
       e.data::text, e.meta::text, e.hash, {previous}
  FROM events e {join}
 WHERE e.position > $1 AND e.position <= $2 ORDER BY e.position LIMIT $3
"""
_PAGE: Final = _ROWS.format(previous="NULL::bytea", join="")
_OLDER_PAGE: Final = _ROWS.format(
    previous="p.hash", join="LEFT JOIN events p ON p.stream = e.stream AND p.version = e.version - 1"
)
_ORIGIN: Final = "SELECT encode(origin, 'hex') FROM hash_forms WHERE form = 2"


async def stored_pages(
    connection: Connection, after: int, through: int, form_2_from: int
) -> AsyncIterator[list[asyncpg.Record]]:
    """The rows above ``after`` and up to ``through``, with the columns of `ArchivedEvent`."""
    while after < through:
        is_older = after < form_2_from - 1
        end = min(through, form_2_from - 1) if is_older else through
        rows = await connection.fetch(_OLDER_PAGE if is_older else _PAGE, after, end, PAGE_EVENTS)
        if not rows:
            return
        yield rows
        after = rows[-1]["position"]


async def read_log(connection: Connection) -> tuple[ArchiveManifest, LogStands]:
    """A manifest without segments for the log that this database has, and where it stands."""
    stands = await read_stands(connection)
    origin: str | None = await connection.fetchval(_ORIGIN)
    if origin is None or stands.form_2_from > stands.position + 1:
        raise ArchiveRefused("the log does not say from where its hashes have form 2: see `tool-sync log verify`")
    installation_id: UUID | None = await read_installation(connection)
    manifest = ArchiveManifest(
        installation_id=installation_id,
        log_id=stands.log_id,
        forked_from=stands.forked_from,
        forked_at=stands.forked_at,
        form_2_from=stands.form_2_from,
        form_2_origin=origin,
    )
    return manifest, stands


def require_same_log(archived: ArchiveManifest, live: ArchiveManifest) -> None:
    """Raises `ArchiveRefused` where the archive is another installation's, or of another log than this one is now."""
    if (
        None not in (archived.installation_id, live.installation_id)
        and archived.installation_id != live.installation_id
    ):
        raise ArchiveRefused(
            f"the archive is of installation {archived.installation_id}, the database is {live.installation_id}'s"
        )
    if archived.log_id == live.log_id:
        return
    if live.forked_from == archived.log_id:
        raise ArchiveRefused(
            f"the archive is of a former history: of the log {archived.log_id}, which was restored and is the log"
            f" {live.log_id} since {live.forked_at:%Y-%m-%d %H:%M:%S} UTC; keep it as it is, and begin another"
        )
    raise ArchiveRefused(f"the archive is of another log, {archived.log_id}; this one is {live.log_id}")

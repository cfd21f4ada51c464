"""An archive beside the live log: each position and hash, by digests that PostgreSQL makes of pages of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tool_sync.db import Connection
from tool_sync.log.archive.hashes import ArchivedEvent, pairs_digest
from tool_sync.log.archive.stored import read_log, require_same_log
from tool_sync.log.archive.verifying import ArchiveFinding, ArchiveLook
from tool_sync.log.heads import hashes_at

DIFFERENT_MAX: Final = 20
"""Pages of which the first differing position is named; then it stops looking."""

_DIGEST: Final = "SELECT older_digest(''::bytea, $1, $2)"
LIVE: Final = "the live log"


@dataclass(frozen=True, slots=True)
class LiveCompared:
    """``through``: every position and hash up to there was compared; the log ended at ``head``."""

    through: int
    head: int
    findings: tuple[ArchiveFinding, ...]


async def compare_live(connection: Connection, look: ArchiveLook) -> LiveCompared:
    """Go through ``look`` and compare. Raises `ArchiveRefused` where the log is not the one that was archived."""
    live, stands = await read_log(connection)
    require_same_log(look.manifest, live)
    findings: list[ArchiveFinding] = []
    through = 0
    for events in look.batches():
        there = [event for event in events if event.position <= stands.position]
        if there and len(findings) < DIFFERENT_MAX:
            findings += await _different(connection, there)
            through = there[-1].position
    if (form := (live.form_2_from, live.form_2_origin)) != (look.manifest.form_2_from, look.manifest.form_2_origin):
        findings.append(ArchiveFinding(LIVE, form[0], "its hashes have form 2 from another position or origin on"))
    if stands.position < look.manifest.last_position:
        problem = f"it ends at {stands.position:,}: it was restored from an older backup, or cut short"
        findings.append(ArchiveFinding(LIVE, stands.position + 1, problem))
    return LiveCompared(through, stands.position, tuple(findings))


async def _different(connection: Connection, events: Sequence[ArchivedEvent]) -> list[ArchiveFinding]:
    after, through = events[0].position - 1, events[-1].position
    digest = await connection.fetchval(_DIGEST, after, through)
    if digest == pairs_digest((event.position, event.hash) for event in events):
        return []
    found = await hashes_at(connection, [event.position for event in events])
    for event in events:
        if (has := found.get(event.position)) != event.hash.hex():
            problem = "it has no event there" if has is None else "it has another event there, or another hash of it"
            return [ArchiveFinding(LIVE, event.position, problem)]
    return [ArchiveFinding(LIVE, events[0].position, "it has more events up to the next position of the archive")]

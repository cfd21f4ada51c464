"""Does the log hold together? Positions and versions without holes, and the hash chain of every stream, recomputed.

Each event is looked at beside the one before it in its stream, so nothing is remembered from page to page, and a
changed event is named by its own position: its hash no longer follows from what is written beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tool_sync.db import Connection
from tool_sync.log.head import read_head

PAGE_POSITIONS: Final = 20_000
FINDINGS_MAX: Final = 100
"""Then it stops looking: a log that broken is restored, not repaired."""


@dataclass(frozen=True, slots=True)
class LogFinding:
    """What is wrong at a position."""

    position: int
    problem: str


@dataclass(frozen=True, slots=True)
class LogVerified:
    """``head`` is the newest position, ``through`` the one up to which everything was looked at.

    It is below the head where there are too many findings. ``since`` and ``until`` are the times of the first and the
    newest event that were looked at, ``streams`` how many streams they belong to.
    """

    head: int
    findings: tuple[LogFinding, ...]
    # How far was looked; the verdict is the two above, and they alone are compared.
    through: int = field(default=0, compare=False)
    since: datetime | None = field(default=None, compare=False)
    until: datetime | None = field(default=None, compare=False)
    streams: int = field(default=0, compare=False)


_PAGE: Final = """
SELECT count(*) AS found,
       array_agg(position ORDER BY position) FILTER (WHERE version > 1 AND (before IS NULL OR before >= position))
         AS alone,
       array_agg(position ORDER BY position) FILTER (WHERE (version = 1 OR before IS NOT NULL) AND hash <> expected)
         AS changed
FROM (SELECT e.position, e.version, p.position AS before, e.hash,
             event_hash(coalesce(p.hash, ''), e.stream, e.version, e.event_id, e.type, e.schema, e.recorded_at, e.data,
                        e.meta) AS expected
        FROM events e LEFT JOIN events p ON p.stream = e.stream AND p.version = e.version - 1
       WHERE e.position > $1 AND e.position <= $2) AS page
"""

_MISSING: Final = """
SELECT g AS position FROM generate_series($1::bigint + 1, $2::bigint) g
WHERE NOT EXISTS (SELECT FROM events e WHERE e.position = g) ORDER BY g LIMIT $3
"""

# Times rise with positions, and the first event of a stream has version 1.
_SPAN: Final = """
SELECT (SELECT recorded_at FROM events WHERE position <= $1 ORDER BY position LIMIT 1) AS since,
       (SELECT recorded_at FROM events WHERE position <= $1 ORDER BY position DESC LIMIT 1) AS until,
       (SELECT count(*) FROM events WHERE position <= $1 AND version = 1) AS streams
"""

_CURSORS: Final = "SELECT name, position FROM cursors WHERE position > $1 ORDER BY name"


async def verify(connection: Connection, on_progress: Callable[[int, int], None]) -> LogVerified:
    """Look at every event up to the present head; ``on_progress`` is told how many of how many. Writes nothing."""
    head = await read_head(connection)
    findings = [
        LogFinding(row["position"], f"the cursor {row['name']} is ahead of the log, which ends at {head}")
        for row in await connection.fetch(_CURSORS, head)
    ]
    through = 0
    for start in range(0, head, PAGE_POSITIONS):
        through = min(head, start + PAGE_POSITIONS)
        findings += await _page(connection, start, through)
        on_progress(through, head)
        if len(findings) >= FINDINGS_MAX:
            break
    span = await connection.fetchrow(_SPAN, through)
    assert span is not None
    return LogVerified(head, tuple(findings[:FINDINGS_MAX]), through, span["since"], span["until"], span["streams"])


async def _page(connection: Connection, start: int, through: int) -> list[LogFinding]:
    row = await connection.fetchrow(_PAGE, start, through)
    assert row is not None
    findings = []
    if row["found"] < through - start:
        missing = await connection.fetch(_MISSING, start, through, FINDINGS_MAX)
        findings += [LogFinding(gap["position"], "there is no event at this position") for gap in missing]
    findings += [LogFinding(at, "the version before it in its stream is missing or later") for at in row["alone"] or ()]
    findings += [
        LogFinding(at, "its hash does not match it and the event before it: one of them was changed")
        for at in row["changed"] or ()
    ]
    return sorted(findings, key=lambda finding: finding.position)

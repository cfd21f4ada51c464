"""Does the log hold together? Positions and versions without holes, times that never fall, and the hashes, recomputed.

Each event is looked at beside the one before it, so a changed event is named by its own position: its hash no longer
follows from what is written beside it. Up to a position that the database has remembered since, hashes have form 1, a
chain for each stream; their digest is what the first hash of form 2 follows (ADR 60).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tool_sync.db import Connection
from tool_sync.log.head import read_head

PAGE_POSITIONS: Final = 20_000
OLDER_PAGE_POSITIONS: Final = 20_000
"""Of the older form's digest, as the migration made it: never another number."""
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


_FORM: Final = "SELECT first_position, origin FROM hash_forms WHERE form = 2"
_NO_FORM: Final = "the table hash_forms has lost the row that says from where the hashes have form 2"
_ALONE: Final = "the version before it in its stream is missing or later"
MISSING: Final = "there is no event at this position"
CHANGED: Final = "its hash does not match it and the event before it: one of them was changed"
EARLIER: Final = "it is recorded as earlier than the event before it"
NOT_THE_ORIGIN: Final = "up to here the hashes have the older form, and are not those that form 2 began from"

_LOOK: Final = """
SELECT count(*) AS found,
       array_agg(position ORDER BY position) FILTER (WHERE version > 1 AND (before IS NULL OR before >= position))
         AS alone,
       array_agg(position ORDER BY position) FILTER (WHERE hash <> expected) AS changed,
       array_agg(position ORDER BY position) FILTER (WHERE is_earlier) AS earlier,
       {digest} AS digest
FROM (SELECT e.position, e.version, p.position AS before, e.hash, e.recorded_at < b.recorded_at AS is_earlier,
             CASE WHEN {comparable} THEN {expected} END AS expected
        FROM events e LEFT JOIN events p ON p.stream = e.stream AND p.version = e.version - 1
                      LEFT JOIN events b ON b.position = e.position - 1
       WHERE e.position > $1 AND e.position <= $2) AS page
"""
# Of form 1: each stream has a chain of its own.
_OLDER_PAGE: Final = _LOOK.format(
    digest="older_digest($3, $1, $2)",
    comparable="e.version = 1 OR p.position IS NOT NULL",
    expected="""
               event_hash(coalesce(p.hash, ''), e.stream, e.version, e.event_id, e.type, e.schema, e.recorded_at,
                          e.data, e.meta)""",
)
# Of form 2: one chain, in which the first event follows the origin.
_PAGE: Final = _LOOK.format(
    digest="NULL",
    comparable="e.position = $3 OR b.position IS NOT NULL",
    expected="""
               position_hash(CASE WHEN e.position = $3 THEN $4 ELSE b.hash END, e.position, time_micros(e.recorded_at),
                             e.stream, e.version, e.event_id, e.org_id, e.type, e.schema, e.data::text,
                             e.meta::text)""",
)

_GAPS: Final = """
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
    form = await _form(connection, head, findings)
    through = 0
    while through < head and len(findings) < FINDINGS_MAX:
        start, through = through, form.page_end(through, head)
        findings += await _page(connection, form, start, through)
        on_progress(through, head)
    span = await connection.fetchrow(_SPAN, through)
    assert span is not None
    return LogVerified(head, tuple(findings[:FINDINGS_MAX]), through, span["since"], span["until"], span["streams"])


@dataclass(frozen=True, slots=True)
class NewestVerified:
    """The events above ``after`` and up to ``head`` were looked at."""

    after: int
    head: int
    findings: tuple[LogFinding, ...]


async def verify_newest(connection: Connection, events_max: int) -> NewestVerified:
    """Look at the newest events alone, at most so many. Writes nothing.

    Those of the older form of hashes are left out: theirs are looked at from the beginning or not at all.
    """
    head = await read_head(connection)
    findings: list[LogFinding] = []
    form = await _form(connection, head, findings)
    start = max(head - events_max, form.first_position - 1, 0)
    if start < head and not findings:
        findings += await _page(connection, form, start, head)
    return NewestVerified(min(start, head), head, tuple(findings[:FINDINGS_MAX]))


@dataclass(slots=True)
class _Form:
    """Where form 2 begins, what its first event follows, and the digest of what was looked at below it."""

    first_position: int
    origin: bytes
    digest: bytes = b""

    def page_end(self, start: int, head: int) -> int:
        """The end of the page after ``start``: no page has events of both forms."""
        older_end = self.first_position - 1
        return min(start + OLDER_PAGE_POSITIONS, older_end) if start < older_end else min(start + PAGE_POSITIONS, head)


async def _form(connection: Connection, head: int, findings: list[LogFinding]) -> _Form:
    row = await connection.fetchrow(_FORM)
    if row is None:
        findings.append(LogFinding(0, _NO_FORM))
        return _Form(head + 1, b"")
    if row["first_position"] > head + 1:
        problem = f"form 2 of the hashes begins at {row['first_position']:,}, and the log ends at {head:,}"
        findings.append(LogFinding(head + 1, problem))
        return _Form(head + 1, row["origin"])
    return _Form(row["first_position"], row["origin"])


async def _page(connection: Connection, form: _Form, start: int, through: int) -> list[LogFinding]:
    is_older = through < form.first_position
    if is_older:
        row = await connection.fetchrow(_OLDER_PAGE, start, through, form.digest)
    else:
        row = await connection.fetchrow(_PAGE, start, through, form.first_position, form.origin)
    assert row is not None
    findings = []
    if row["found"] < through - start:
        missing = await connection.fetch(_GAPS, start, through, FINDINGS_MAX)
        findings += [LogFinding(gap["position"], MISSING) for gap in missing]
    changed = row["changed"] or ()
    told = {*changed, *(at + 1 for at in changed)}  # a changed time is told once, not again by the event after it
    earlier = [at for at in row["earlier"] or () if at not in told]
    for found, problem in ((row["alone"] or (), _ALONE), (changed, CHANGED), (earlier, EARLIER)):
        findings += [LogFinding(at, problem) for at in found]
    if is_older:
        form.digest = row["digest"]
        if through == form.first_position - 1 and form.digest != form.origin:
            findings.append(LogFinding(through, NOT_THE_ORIGIN))
    return sorted(findings, key=lambda finding: finding.position)

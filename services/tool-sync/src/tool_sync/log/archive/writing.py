"""The archive goes on where it ends: new events into new segments, each proved from its file before it counts.

A process may die between any two steps. What it leaves is an unfinished file, which the next run removes, or a whole
segment that the manifest does not name yet, which the next run reads back and takes in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tool_sync.db import Connection
from tool_sync.log.archive.errors import ArchiveDamaged, ArchiveRefused, ArchiveUnavailable
from tool_sync.log.archive.folder import (
    MANIFEST,
    UNFINISHED,
    locked,
    names_in,
    positions_of,
    read_manifest,
    remove_unfinished,
    segment_name,
    settle,
    sha256_of,
    write_manifest,
)
from tool_sync.log.archive.hashes import START, HashChain, at_micros
from tool_sync.log.archive.manifest import ArchiveManifest, ArchiveSegment
from tool_sync.log.archive.parquet import SegmentWriter, read_events
from tool_sync.log.archive.request import WhatToArchive
from tool_sync.log.archive.stored import read_log, require_same_log, stored_pages
from tool_sync.log.head import last_before
from tool_sync.log.heads import LogStands, hashes_at
from tool_sync.log.verify import FINDINGS_MAX, LogFinding
from tool_sync.release import SERVICE_VERSION


@dataclass(frozen=True, slots=True)
class LogArchived:
    """``written`` are new, ``taken_in`` were whole and lacked in the manifest; the log ended at ``head``.

    ``findings``: what is wrong with the log; from there on nothing was archived.
    """

    through: int
    head: int
    written: tuple[ArchiveSegment, ...]
    taken_in: tuple[ArchiveSegment, ...]
    findings: tuple[LogFinding, ...] = ()


async def archive(
    connection: Connection,
    folder: Path,
    what: WhatToArchive,
    now: Callable[[], datetime],
    on_progress: Callable[[int, int], None],
) -> LogArchived:
    """Write what is new; ``on_progress`` is told positions. Writes nothing into the database.

    Raises `ArchiveRefused`, `ArchiveUnavailable` and `ArchiveDamaged`.
    """
    live, stands = await read_log(connection)
    through = await _through(connection, what, stands)
    with locked(folder):
        writing = _Writing(connection, folder, _begun(folder, live), now, on_progress)
        await writing.require_history(stands)
        while writing.position < through and not writing.findings:
            await writing.write(min(through, writing.position + what.segment_events), through)
    return writing.archived(stands.position)


async def _through(connection: Connection, what: WhatToArchive, stands: LogStands) -> int:
    if what.through is not None and what.through > stands.position:
        raise ArchiveUnavailable(f"the log ends at position {stands.position:,}, before {what.through:,}")
    if what.until is not None:
        return await last_before(connection, what.until, stands.position)
    return stands.position if what.through is None else what.through


def _begun(folder: Path, live: ArchiveManifest) -> ArchiveManifest:
    """The manifest of the folder, which an empty one is given. What cannot be gone on with is `ArchiveRefused`."""
    remains = [name for name in names_in(folder) if not name.startswith(UNFINISHED)]
    if not (folder / MANIFEST).exists():
        if remains:
            raise ArchiveRefused(f"{folder} is no archive, and not empty: it has {remains[0]}")
        write_manifest(folder, live)
    manifest = read_manifest(folder)
    require_same_log(manifest, live)
    remove_unfinished(folder)
    for segment in manifest.segments:
        path = folder / segment.file
        if not path.is_file() or path.stat().st_size != segment.bytes:
            raise ArchiveRefused(f"{path} is missing or cut short: see `tool-sync log verify-archive {folder}`")
    return manifest


@dataclass(slots=True)
class _Writing:
    connection: Connection
    folder: Path
    manifest: ArchiveManifest
    now: Callable[[], datetime]
    on_progress: Callable[[int, int], None]
    written: list[ArchiveSegment] = field(default_factory=list)
    taken_in: list[ArchiveSegment] = field(default_factory=list)
    findings: list[LogFinding] = field(default_factory=list)

    @property
    def position(self) -> int:
        return self.manifest.last_position

    def archived(self, head: int) -> LogArchived:
        return LogArchived(
            self.position, head, tuple(self.written), tuple(self.taken_in), tuple(self.findings[:FINDINGS_MAX])
        )

    async def require_history(self, stands: LogStands) -> None:
        """The archive, with what a run that was ended has left, is what the log has; else it is `ArchiveRefused`."""
        left = [(positions_of(name), name) for name in names_in(self.folder)]
        named = {segment.file for segment in self.manifest.segments}
        for positions, name in sorted(one for one in left if one[0] is not None and one[1] not in named):
            assert positions is not None
            await self._take_in(positions, name)
        if self.position and not await self._is_the_logs(self.manifest.segments[-1]):
            end = self.manifest.segments[-1]
            has = "has another event there" if stands.position >= self.position else f"ends at {stands.position:,}"
            raise ArchiveRefused(
                f"the archive ends at position {self.position:,}, hash {end.last_hash}, and the log {has}: it was"
                " restored or changed since, so the archive is of a former history; keep it as it is, begin another,"
                " and see `tool-sync log verify`"
            )

    async def _take_in(self, positions: tuple[int, int], name: str) -> None:
        path = self.folder / name
        segment, findings = _read_back(path, name, positions, self.manifest, self.now())
        if segment is None or findings or not await self._is_the_logs(segment):
            raise ArchiveRefused(f"{path} is not in the manifest, and not what the log has there: move it away")
        self._enter(segment)
        self.taken_in.append(segment)

    async def _is_the_logs(self, segment: ArchiveSegment) -> bool:
        found = await hashes_at(self.connection, [segment.last_position])
        return found.get(segment.last_position) == segment.last_hash

    def _enter(self, segment: ArchiveSegment) -> None:
        manifest = self.manifest.with_segments([segment])
        write_manifest(self.folder, manifest)
        self.manifest = manifest

    async def write(self, last: int, through: int) -> None:
        """One more segment, up to ``last``; or, in ``findings``, why there is none."""
        first = self.position + 1
        name = segment_name(first, last)
        unfinished = self.folder / f"{UNFINISHED}{name}"
        try:
            await self._copy(unfinished, first, last, through)
            segment, findings = _read_back(unfinished, name, (first, last), self.manifest, self.now())
            self.findings += findings
            if segment is None or findings or not await self._is_the_logs(segment):
                self.findings += [] if findings else [LogFinding(last, "what was written is not what was read")]
                return
            settle(unfinished, self.folder / name)
        finally:
            unfinished.unlink(missing_ok=True)
        self._enter(segment)
        self.written.append(segment)

    async def _copy(self, path: Path, first: int, last: int, through: int) -> None:
        with SegmentWriter(path) as writer:
            async for rows in stored_pages(self.connection, first - 1, last, self.manifest.form_2_from):
                writer.add(rows)
                self.on_progress(rows[-1]["position"], through)
            writer.finish()


def _read_back(
    path: Path, name: str, positions: tuple[int, int], manifest: ArchiveManifest, now: datetime
) -> tuple[ArchiveSegment | None, Sequence[LogFinding]]:
    """What a file holds, as the next segment of the manifest; nothing where it does not follow what is there."""
    link = manifest.segments[-1].end if manifest.segments else START
    chain = HashChain(manifest.form_2_from, bytes.fromhex(manifest.form_2_origin), link)
    first, last = positions
    begin = None
    findings: list[LogFinding] = []
    try:
        for events in read_events(path):
            begin = begin or events[0]
            findings += chain.look(events)
    except ArchiveDamaged:
        return None, findings
    if begin is None or (link.position + 1, begin.position, chain.link.position) != (first, first, last):
        return None, findings
    return ArchiveSegment(
        file=name,
        first_position=first,
        last_position=last,
        events=last - first + 1,
        first_hash=begin.hash.hex(),
        last_hash=chain.link.hash.hex(),
        since=at_micros(begin.recorded_micros),
        until=at_micros(chain.link.recorded_micros),
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        written_at=now,
        release=SERVICE_VERSION,
    ), findings

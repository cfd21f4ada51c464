"""Is an archive what it says that it is? Looked at without a database: files, their bytes, and each event's hash."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tool_sync.log.archive.errors import ArchiveDamaged
from tool_sync.log.archive.folder import UNFINISHED, names_in, segment_name, sha256_of
from tool_sync.log.archive.hashes import ArchivedEvent, HashChain
from tool_sync.log.archive.manifest import ArchiveManifest, ArchiveSegment
from tool_sync.log.archive.parquet import read_events
from tool_sync.log.verify import FINDINGS_MAX


@dataclass(frozen=True, slots=True)
class ArchiveFinding:
    """What is wrong with a file, at a position or from there on; 0 where no segment of the archive is meant."""

    file: str
    position: int
    problem: str


@dataclass(slots=True)
class ArchiveLook:
    """One look at everything; `batches` is gone through once. ``through``: up to where events were looked at.

    ``hashes``: at those of the ``wanted`` positions that are there. ``unfinished``: what a run that was ended has left.
    """

    folder: Path
    manifest: ArchiveManifest
    on_progress: Callable[[int], None]
    wanted: Collection[int] = ()
    findings: list[ArchiveFinding] = field(default_factory=list)
    hashes: dict[int, str] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)
    through: int = 0
    reaches_form_2: bool = False

    @property
    def sound_through(self) -> int:
        """Up to where nothing is wrong: what a signed hash below it proves."""
        return min([found.position - 1 for found in self.findings if found.position] + [self.through])

    def batches(self) -> Iterator[list[ArchivedEvent]]:
        """The events in the order of the archive, each looked at; it ends where there are too many findings."""
        self._look_at_names()
        chain = HashChain(self.manifest.form_2_from, bytes.fromhex(self.manifest.form_2_origin))
        for segment in self.manifest.segments:
            if len(self.findings) >= FINDINGS_MAX:
                break
            yield from self._segment(segment, chain)
        self.through = chain.link.position
        self.reaches_form_2 = chain.reaches_form_2
        del self.findings[FINDINGS_MAX:]

    def _look_at_names(self) -> None:
        named = {segment.file for segment in self.manifest.segments}
        for name in names_in(self.folder):
            if name.startswith(UNFINISHED):
                self.unfinished.append(name)
            elif name not in named:
                self.findings.append(ArchiveFinding(name, 0, "it is not in the manifest"))

    def _segment(self, segment: ArchiveSegment, chain: HashChain) -> Iterator[list[ArchivedEvent]]:
        self._find(segment, _of_itself(segment))
        path = self.folder / segment.file
        if Path(segment.file).name != segment.file or not path.is_file():
            self._find(segment, ["it is missing"])
            return
        if path.stat().st_size != segment.bytes:
            self._find(segment, [f"it has {path.stat().st_size:,} bytes, and the manifest says {segment.bytes:,}"])
        elif sha256_of(path) != segment.sha256:
            self._find(segment, ["its bytes are not those that were written: another SHA-256"])
        try:
            yield from self._events(segment, chain)
        except ArchiveDamaged as damage:
            self._find(segment, [str(damage)])

    def _events(self, segment: ArchiveSegment, chain: HashChain) -> Iterator[list[ArchivedEvent]]:
        first, count = None, 0
        for events in read_events(self.folder / segment.file):
            first = first or events[0]
            count += len(events)
            self.findings += [ArchiveFinding(segment.file, one.position, one.problem) for one in chain.look(events)]
            self.hashes |= {event.position: event.hash.hex() for event in events if event.position in self.wanted}
            self.on_progress(chain.link.position)
            yield events
            if len(self.findings) >= FINDINGS_MAX:
                return
        has = (count, first and first.position, first and first.hash.hex(), *chain.link[:2])
        says = (segment.events, segment.first_position, segment.first_hash, segment.last_position)
        if has != (*says, bytes.fromhex(segment.last_hash)):
            self._find(segment, ["its events are not those that the manifest says: their number, first or last"])

    def _find(self, segment: ArchiveSegment, problems: list[str]) -> None:
        self.findings += [ArchiveFinding(segment.file, segment.first_position, problem) for problem in problems]


def _of_itself(segment: ArchiveSegment) -> list[str]:
    problems = []
    if segment.file != segment_name(segment.first_position, segment.last_position):
        problems.append("its name is not that of its positions")
    if segment.events != segment.last_position - segment.first_position + 1:
        problems.append("the manifest says another number of events than its positions have room for")
    return problems

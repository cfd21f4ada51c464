"""The hashes of events, computed without a database: what `position_hash` and `event_hash` say in SQL (ADR 60).

An event is looked at beside the one before it, as `log.verify` does. Of form 1, which has a chain for each stream, an
archive keeps with each event the hash that it follows; that those are the log's own shows where form 2 begins, as its
first hash follows a digest of them all.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple

from tool_sync.log.verify import CHANGED, EARLIER, MISSING, NOT_THE_ORIGIN, OLDER_PAGE_POSITIONS, LogFinding

UNLIKE: Final = "its organization is not that of its stream"
OUT_OF_ORDER: Final = "it does not stand behind the event before it"
NOT_OF_ITS_FORM: Final = "what it says to follow is not of the form of its hash"

_FIXED: Final = Struct(">qqih")
_LENGTH: Final = Struct(">i")
_PAIR: Final = Struct(">q")
_NOBODY: Final = bytes(16)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class ArchivedEvent(NamedTuple):
    """A row of ``events``, with the texts and the time that its hash is made of.

    ``previous_hash``: under form 1 the hash of the event before it in its stream; else None.
    """

    position: int
    stream: str
    version: int
    event_id: str
    org_id: str | None
    type: str
    schema: int
    recorded_micros: int
    data: str
    meta: str
    hash: bytes
    previous_hash: bytes | None


class Link(NamedTuple):
    """The end of what was looked at: what the next event follows."""

    position: int
    hash: bytes
    recorded_micros: int


START: Final = Link(0, b"", -(2**63))


def micros_of(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def at_micros(micros: int) -> datetime:
    """The time so many microseconds after 1970."""
    return _EPOCH + micros * _MICROSECOND


def position_hash(previous: bytes, event: ArchivedEvent) -> bytes:
    """Form 2, which the comment of the SQL function of this name describes to the byte."""
    org = _NOBODY if event.org_id is None else bytes.fromhex(event.org_id.replace("-", ""))
    parts = [
        b"\x02",
        _LENGTH.pack(len(previous)),
        previous,
        _FIXED.pack(event.position, event.recorded_micros, event.version, event.schema),
        bytes.fromhex(event.event_id.replace("-", "")),
        org,
    ]
    for text in (event.stream, event.type, event.data, event.meta):
        encoded = text.encode()
        parts += (_LENGTH.pack(len(encoded)), encoded)
    return sha256(b"".join(parts)).digest()


def event_hash(previous: bytes, event: ArchivedEvent) -> bytes:
    """Form 1, which the comment of the SQL function of this name describes to the byte."""
    at = f"{at_micros(event.recorded_micros):%Y-%m-%dT%H:%M:%S.%f}Z"
    texts = (
        event.stream, str(event.version), event.event_id, event.type, str(event.schema), at, event.data, event.meta,
    )  # fmt: skip
    parts = [previous, *(text.encode() for text in texts)]
    return sha256(b"".join(_LENGTH.pack(len(part)) + part for part in parts)).digest()


def pairs_digest(pairs: Iterable[tuple[int, bytes]], previous: bytes = b"") -> bytes:
    """Of positions and their hashes: what `older_digest` is in SQL, of a page of any length."""
    return sha256(previous + b"".join(_PAIR.pack(position) + value for position, value in pairs)).digest()


def _is_of_its_stream(event: ArchivedEvent) -> bool:
    """What the table's own constraint says. The hash of form 2 takes no organization for one of zeros."""
    if event.org_id is None:
        return event.stream.startswith(("blueprint-", "rollout-"))
    return event.stream in (f"org-{event.org_id}", f"toolset-{event.org_id}")


@dataclass(slots=True)
class HashChain:
    """Looks at events in their order, from ``link`` on."""

    form_2_from: int
    form_2_origin: bytes
    link: Link = START
    _digest: bytes = b""
    _pairs: list[tuple[int, bytes]] = field(default_factory=list)
    _is_whole: bool = field(init=False)  # the digest of form 1 begins with the log

    def __post_init__(self) -> None:
        self._is_whole = self.link == START

    @property
    def reaches_form_2(self) -> bool:
        """Whether everything of form 1 was looked at, and so compared with what form 2 begins from."""
        return self.link.position >= self.form_2_from - 1

    def look(self, events: Iterable[ArchivedEvent]) -> list[LogFinding]:
        """What is wrong with them, each named by its own position."""
        findings: list[LogFinding] = []
        for event in events:
            problems = [*self._misplaced(event), *self._problems(event)]
            findings += problems
            is_changed = any(finding.problem == CHANGED for finding in problems)
            micros = self.link.recorded_micros if is_changed else event.recorded_micros  # told once, not again after it
            self.link = Link(event.position, event.hash, micros)
            if event.position < self.form_2_from and self._is_whole:
                findings += self._into_digest(event)
        return findings

    def _misplaced(self, event: ArchivedEvent) -> Iterator[LogFinding]:
        due = self.link.position + 1
        if event.position < due:
            yield LogFinding(event.position, OUT_OF_ORDER)
        elif event.position == due + 1:
            yield LogFinding(due, MISSING)
        elif event.position > due:
            yield LogFinding(due, f"there is no event from here up to position {event.position - 1:,}")

    def _problems(self, event: ArchivedEvent) -> Iterator[LogFinding]:
        if not self._is_as_written(event):
            yield LogFinding(event.position, CHANGED)
        elif event.recorded_micros < self.link.recorded_micros:
            yield LogFinding(event.position, EARLIER)
        if not _is_of_its_stream(event):
            yield LogFinding(event.position, UNLIKE)
        if (event.previous_hash is not None) != (event.position < self.form_2_from and event.version > 1):
            yield LogFinding(event.position, NOT_OF_ITS_FORM)

    def _is_as_written(self, event: ArchivedEvent) -> bool:
        if not _UUID.fullmatch(event.event_id):
            return False
        try:
            if event.position < self.form_2_from:
                return event.hash == event_hash(event.previous_hash or b"", event)
            if event.position == self.form_2_from:
                return event.hash == position_hash(self.form_2_origin, event)
            if event.position != self.link.position + 1:
                return True  # what it follows is not there
            return event.hash == position_hash(self.link.hash, event)
        except (ValueError, OverflowError):  # an organization that is no id, a time that is none
            return False

    def _into_digest(self, event: ArchivedEvent) -> list[LogFinding]:
        self._pairs.append((event.position, event.hash))
        is_last = event.position == self.form_2_from - 1
        if is_last or event.position % OLDER_PAGE_POSITIONS == 0:
            self._digest = pairs_digest(self._pairs, self._digest)
            self._pairs.clear()
        return [LogFinding(event.position, NOT_THE_ORIGIN)] if is_last and self._digest != self.form_2_origin else []

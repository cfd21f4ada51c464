"""Each save into its class, and the report. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias
from uuid import UUID

from tool_sync.queries.audit.accepted import Accepted
from tool_sync.queries.audit.history import History, Place, Save, Unreadable
from tool_sync.queries.audit.looked import LiveRead, looked_at, not_looked_at
from tool_sync.queries.coverage import Coverage

PROMISE: Final = timedelta(seconds=2)
"""A save's outcome comes within it, where Vapi answers."""


class Verdict(StrEnum):
    """What became of a save."""

    IN_TIME = "answered in time"
    LATE = "answered late"
    WAITING = "within its time"
    LOST = "no outcome"
    TWICE = "two outcomes"
    PARKED = "parked"
    CLOSED = "parked and closed"
    MISSED = "unreadable and not parked"
    UNPUBLISHED = "accepted, not on the topic"
    ON_ITS_WAY = "accepted, not in Vapi yet"
    REFUSED = "refused by Vapi"
    DELETED = "agent deleted before it was in Vapi"
    EXPIRED = "older than the topic or the window"


GAPS: Final = frozenset({Verdict.LOST, Verdict.TWICE, Verdict.PARKED, Verdict.MISSED, Verdict.UNPUBLISHED})
"""What somebody has to look at; any of them fails the audit."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One that is to be looked at. ``place`` is null where no record exists."""

    verdict: Verdict
    place: Place | None
    request_id: UUID | None
    org_id: UUID | None
    at: datetime
    detail: str
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """``seconds``: from save to outcome, by percentile (50, 95, 99, 100); empty where nothing was answered.

    ``looked_at`` and ``not_looked_at`` are sentences: without them the all-clear says nothing.
    """

    counts: Mapping[Verdict, int]
    repeats: int
    seconds: Mapping[int, float]
    findings: tuple[Finding, ...]
    coverage: Coverage
    looked_at: tuple[str, ...] = ()
    not_looked_at: tuple[str, ...] = ()
    compared: bool = True
    """Whether assistant-api was asked for what it accepted."""
    lost: tuple[str, ...] = ()
    """Records that were gone before they were read, and that nobody has acknowledged."""
    live: LiveRead | None = None
    """What was read at Vapi; None where that was not asked for."""

    @property
    def has_gaps(self) -> bool:
        """Somebody has to look at something. What is late or under way is no gap."""
        unreached = self.live is not None and bool(self.live.unreached)
        return bool(self.lost) or unreached or any(self.counts.get(verdict) for verdict in GAPS)

    @property
    def judged(self) -> int:
        """How many saves were looked at; those of which no record is left do not count."""
        return sum(count for verdict, count in self.counts.items() if verdict is not Verdict.EXPIRED)

    @property
    def is_read_whole(self) -> bool:
        """All was read at Vapi that was to be read there."""
        return self.live is None or not self.live.not_read

    @property
    def is_complete(self) -> bool:
        """Something was looked at, on both sides, nothing asked for was left out, and there is no gap."""
        return self.compared and self.judged > 0 and self.is_read_whole and not self.has_gaps


Judged: TypeAlias = tuple[Verdict, Finding | None]


def judge(
    history: History,
    accepted: Iterable[Accepted] | None,
    parked: Mapping[Place, str | None],
    coverage: Coverage,
    *,
    now: datetime,
    until: datetime | None,
    patience: timedelta,
    since: datetime | None = None,
    lost: Sequence[str] = (),
    live: LiveRead | None = None,
) -> Report:
    """Saves up to ``until``. ``patience``: how long a save may go without an outcome while Vapi is in trouble."""
    told = None if accepted is None else tuple(accepted)
    asked = None if told is None else len(told)
    saves = [save for save in history.saves.values() if until is None or save.at <= until]
    unreadable = [record for record in history.unreadable if until is None or record.at <= until]
    judged = [
        *(_of_save(save, _answers(history, save), now, patience) for save in saves),
        *(_of_unreadable(record, parked, history) for record in unreadable),
        *_of_all_accepted(history, [one for one in told or () if until is None or one.at <= until], now),
    ]
    counts = Counter(verdict for verdict, _ in judged)
    answered = [(save, answers) for save in saves if len(answers := _answers(history, save)) == 1]
    return Report(
        dict(counts),
        history.repeats,
        _percentiles([(at - save.at).total_seconds() for save, answers in answered for at in answers.values()]),
        tuple(finding for _, finding in judged if finding is not None),
        coverage,
        tuple(looked_at(history, asked, live)),
        tuple(not_looked_at(history, asked, counts[Verdict.EXPIRED], since, until, live)),
        told is not None,
        tuple(lost),
        live,
    )


def _answers(history: History, save: Save) -> Mapping[str, datetime]:
    return history.answers.get(save.request_id, {})


def _of_save(save: Save, answers: Mapping[str, datetime], now: datetime, patience: timedelta) -> Judged:
    match [at - save.at for at in answers.values()]:
        case []:
            if now - save.at <= patience:
                return Verdict.WAITING, None
            verdict, detail = Verdict.LOST, f"agent {save.agent_id}"
        case [took] if took <= PROMISE:
            return Verdict.IN_TIME, None
        case [took]:
            verdict, detail = Verdict.LATE, f"after {took.total_seconds():.1f} s"
        case _:
            verdict, detail = Verdict.TWICE, f"events {', '.join(answers)}"
    return verdict, Finding(verdict, save.place, save.request_id, save.org_id, save.at, detail, save.trace_id)


def _of_unreadable(record: Unreadable, parked: Mapping[Place, str | None], history: History) -> Judged:
    place = record.place
    if place in parked:
        if parked[place] is not None:
            return Verdict.CLOSED, None
        verdict = Verdict.PARKED
    elif place.offset >= history.taken_in.get((place.topic, place.partition), 0):
        return Verdict.WAITING, None
    else:
        verdict = Verdict.MISSED
    return verdict, Finding(verdict, place, record.request_id, None, record.at, record.reason)


def _of_all_accepted(history: History, accepted: Sequence[Accepted], now: datetime) -> Iterator[Judged]:
    """Those of which no record lies on the topic."""
    there = history.saves.keys() | {record.request_id for record in history.unreadable}
    oldest = min((save.at for save in history.saves.values()), default=None)
    for one in accepted:
        if one.request_id not in there:
            verdict = _of_accepted(one, oldest, now)
            detail = f"accepted for agent {one.agent_id} and saved to Vapi"
            found = Finding(verdict, None, one.request_id, one.org_id, one.at, detail)
            yield verdict, found if verdict is Verdict.UNPUBLISHED else None


def _of_accepted(one: Accepted, oldest: datetime | None, now: datetime) -> Verdict:
    match one.state:
        case "open":
            return Verdict.ON_ITS_WAY
        case "refused":
            return Verdict.REFUSED
        case "deleted":
            return Verdict.DELETED
        case "saved":
            if oldest is None or one.at < oldest - PROMISE:
                return Verdict.EXPIRED
            # Its record was written with the row; the relay has sent it long since, or is about to.
            return Verdict.UNPUBLISHED if now - one.at > timedelta(minutes=1) else Verdict.ON_ITS_WAY


def _percentiles(seconds: list[float]) -> dict[int, float]:
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {p: ordered[min(len(ordered) - 1, (len(ordered) * p) // 100)] for p in (50, 95, 99, 100)}

"""Whether every write for a tool was what orders said: judged from the log at the end, and before it is set back.

a) what was announced is what the rule gives for the clinic as it was, and the fleet that the announcement names: the
   version, and which of the clinic's own words
b) no announcement for a tool of a clinic names an older fleet than one before it, whatever either follows, and no link
   of a clinic an older one than a link before it
c) what a newer fleet says otherwise is announced no longer than it takes to have it in flight: so neither is a clinic
   outside the open stages of an order that runs,
d) nor one that does not follow an order that is paused, aborted or expired
e) no pin is ended before its time, and words that somebody changed at Vapi are put right only where drift of the tool
   is not merely reported
f) a tool gets another definition once for each change of what is ordered, and is not written back and forth
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tool_sync.domain import events as e
from tool_sync.log import StoredEvent

from .book import Book, Due, Facts, due, fold
from .checks import Checks
from .database import Database, seconds_of
from .log import SimLog

IN_FLIGHT_SECONDS: Final = 2.0
ADOPTION_SECONDS: Final = 30.0
"""After a restore each tool that the log has lost is read before one is made: three tries of ten seconds."""
ARRIVED_MEANWHILE_MAX: Final = 12
"""Arrivals that whoever has announced may not have read: they are in another stream, and conflict with nothing."""

Told = e.ToolRegistrationStarted | e.ToolUpdateStarted | e.ToolRetired
ARRIVALS = (
    e.OrgRegistered, e.OrgTierChanged, e.OrgClosed, e.ToolSettingChanged, e.ToolSettingRemoved, e.ToolPinned,
    e.ToolUnpinned, e.ChangeWindowSet, e.ChangeWindowRemoved, e.ToolOrdered, e.ToolCustomized,
)  # fmt: skip
RETIRED_BY_RULE: Final = ("order", "halted", "setting", "tier")


@dataclass(slots=True)
class _Tool:
    """What was announced so far for one tool of one clinic."""

    fleet_position: int = 0
    definition_hash: str | None = None
    had: set[str] = field(default_factory=set)
    decided_at: int = 0
    tier: str = ""
    pin: object = None
    had_window: bool = False


class Ordering:
    """``log`` knows who has written what, and when they stood still."""

    def __init__(self, database: Database, checks: Checks, log: SimLog) -> None:
        self._database, self._checks, self._log = database, checks, log
        self._books: list[Book] = []

    def judge(self) -> None:
        """The whole log as it is now."""
        self._books = [Book()]
        for stored in self._database.fleet:
            self._is_published(stored)
            self._books.append(self._books[-1].after(stored))
        for org_id, events in self._database.by_org.items():
            self._judge_clinic(org_id, events)

    def _book(self, position: int) -> Book:
        """As of a position."""
        return next(book for book in reversed(self._books) if book.position <= position)

    def _is_published(self, stored: StoredEvent) -> None:
        """Only a version that there is can be ordered."""
        event, versions = stored.event, self._books[-1].versions
        if not isinstance(event, e.RolloutStarted) or event.version is None:
            return
        if (event.tool, event.version) not in versions:
            self._violated(stored, f"{event.tool} {event.version} is ordered, and was not published")

    def _judge_clinic(self, org_id: UUID, events: Sequence[StoredEvent]) -> None:
        tools: dict[str, _Tool] = defaultdict(_Tool)
        facts = Facts(org_id)
        links, pins = 0, {s.position: s.event.until for s in events if isinstance(s.event, e.ToolPinned)}
        adopted = {s.event.attempt_id for s in events if isinstance(s.event, e.ToolRegistered) and s.event.adopted}
        for index, stored in enumerate(events):
            event = stored.event
            if isinstance(event, Told):
                made_anew = isinstance(event, e.ToolRegistrationStarted) and event.attempt_id in adopted
                if event.fleet_position is None:
                    self._violated(stored, f"{event.name}: no fleet is named")
                elif isinstance(event, e.ToolUpdateStarted) and self._is_left(event, facts, events[:index]):
                    self._violated(stored, f"words of {event.name} are put right, which are only to be reported")
                elif not isinstance(event, e.ToolRetired) or event.reason in RETIRED_BY_RULE:
                    known = _Candidates(facts, events[:index], self._maybe_unread(stored, event, events[:index]))
                    by = self._judge(stored, event, known, adopted=made_anew)
                    self._follows_time(stored, event, tools[event.name], by, adopted=made_anew)
            elif isinstance(event, e.ToolReinstated) and event.fleet_position is not None:
                self._is_no_older(stored, event.name, event.fleet_position, tools[event.name])
            elif isinstance(event, e.AssistantLinkStarted) and event.fleet_position is not None:
                if event.fleet_position < links:
                    what = f"{event.agent_id} is linked by the fleet as of {event.fleet_position}, after {links}"
                    self._violated(stored, what)
                links = max(links, event.fleet_position)
            elif isinstance(event, e.ToolPinExpired):
                self._checks.reached["pin ended by time"] += 1
                if stored.recorded_at < pins[event.pinned_at]:
                    self._violated(stored, f"a pin until {pins[event.pinned_at]} is ended at {stored.recorded_at}")
            facts = facts.after(stored)

    def _is_left(self, event: e.ToolUpdateStarted, facts: Facts, before: Sequence[StoredEvent]) -> bool:
        """e."""
        assert event.fleet_position is not None
        has = facts.has.get(event.name)
        if (
            has is None
            or has[1] != event.definition_hash
            or event.name not in self._book(event.fleet_position).reported
        ):
            return False
        # Whoever writes may not have read the newest: since the last answer nothing else was noted of it.
        noted: list[e.ToolDriftSeen] = []
        for one in (each.event for each in before):
            if isinstance(one, e.ToolDriftSeen) and one.name == event.name:
                noted.append(one)
            elif isinstance(one, e.ToolUpdated | e.ToolRegistered) and one.name == event.name:
                noted.clear()
        return bool(noted) and all(one.differs == ("description",) for one in noted)

    def _is_no_older(self, stored: StoredEvent, what: str, fleet_position: int, tool: _Tool) -> None:
        """b."""
        if fleet_position < tool.fleet_position:
            self._violated(stored, f"{what} by the fleet as of {fleet_position}, after one by {tool.fleet_position}")
        tool.fleet_position = max(tool.fleet_position, fleet_position)

    def _maybe_unread(self, stored: StoredEvent, event: Told, before: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
        """The newest arrivals that whoever has announced this may not have read: they came while it was in flight."""
        now, writer = seconds_of(stored.recorded_at), self._log.written_by.get(stored.event_id, "")
        adopts = bool(self._database.lost_tools) and isinstance(event, e.ToolRegistrationStarted)
        found: list[StoredEvent] = []
        for arrived in reversed([one for one in before if isinstance(one.event, ARRIVALS)]):
            at = seconds_of(arrived.recorded_at)
            in_flight = IN_FLIGHT_SECONDS + self._log.stalls.seconds(writer, at, now) + adopts * ADOPTION_SECONDS
            if now - at > in_flight or len(found) == ARRIVED_MEANWHILE_MAX:
                break
            found.append(arrived)
        return found[::-1]

    def _judge(self, stored: StoredEvent, event: Told, candidates: Sequence[Facts], *, adopted: bool) -> Facts:
        """a, c, d. Returns the clinic as whoever has announced this knew it."""
        assert event.fleet_position is not None
        then, at = self._book(event.fleet_position), stored.recorded_at
        facts = next((one for one in candidates if _is_so(event, due(one, then, event.name, at), adopted)), None)
        if facts is None and any(known.window is not None for known in candidates):
            # It was decided a little before, when the window was open still, or closed still.
            at = self._unread_since(stored)
            facts = next((one for one in candidates if _is_so(event, due(one, then, event.name, at), adopted)), None)
        if facts is None:
            said = due(candidates[0], then, event.name, stored.recorded_at)
            self._violated(stored, f"{_told(event)}, where the fleet as of {then.position} says {said}")
            return candidates[0]
        self._checks.reached["announced as ordered"] += 1
        later = (
            book for book in self._books if event.fleet_position < book.position < stored.position
        )  # in this order
        other = next((book for book in later if not _is_so(event, due(facts, book, event.name, at), adopted)), None)
        if other is None:
            return facts
        now = seconds_of(stored.recorded_at)
        since = seconds_of(self._at(other.position))
        stalled = self._log.stalls.seconds(self._log.written_by.get(stored.event_id, ""), since, now)
        self._checks.reached["announced in flight"] += 1
        adopts = bool(self._database.lost_tools) and isinstance(event, e.ToolRegistrationStarted)
        if now - since > IN_FLIGHT_SECONDS + stalled + adopts * ADOPTION_SECONDS:
            self._violated(
                stored,
                f"{_told(event)} {now - since:.3f} s after {other.position} has ordered otherwise, of which "
                f"{stalled:.3f} s were spent asleep: {_why(other, event, facts)}",
            )
        return facts

    def _follows_time(self, stored: StoredEvent, event: Told, tool: _Tool, facts: Facts, *, adopted: bool) -> None:
        """b, f."""
        assert event.fleet_position is not None
        self._is_no_older(stored, _told(event), event.fleet_position, tool)
        pin = facts.pins.get(event.name)
        if not isinstance(event, e.ToolRetired) and not adopted:
            same_orders = tool.decided_at == event.fleet_position and (tool.tier, tool.pin) == (facts.tier, pin)
            same_orders &= (
                facts.window is None and not tool.had_window
            )  # what waited comes when it opens, or is removed
            if tool.definition_hash not in (None, event.definition_hash) and same_orders:
                self._violated(stored, f"{_told(event)}, and nothing was ordered since it got {tool.definition_hash}")
            if event.definition_hash != tool.definition_hash and event.definition_hash in tool.had:
                self._checks.reached["definition put back"] += 1
            tool.had.add(event.definition_hash)
            tool.definition_hash, tool.decided_at = event.definition_hash, event.fleet_position
            tool.tier, tool.pin, tool.had_window = facts.tier, pin, facts.window is not None

    def _unread_since(self, stored: StoredEvent) -> datetime:
        """Whoever has written this has read what arrived before, of a change window."""
        now = seconds_of(stored.recorded_at)
        stalled = self._log.stalls.seconds(self._log.written_by.get(stored.event_id, ""), 0.0, now)
        return stored.recorded_at - timedelta(seconds=IN_FLIGHT_SECONDS + stalled)

    def _at(self, position: int) -> datetime:
        return self._database.events[position - 1].recorded_at

    def _violated(self, stored: StoredEvent, what: str) -> None:
        self._checks.violated(seconds_of(stored.recorded_at), f"orders: {stored.position} of {stored.org_id}: {what}")


class _Candidates(Sequence[Facts]):
    """The clinic just before, and as whoever has announced may have known it: without the newest arrivals.

    Folded only as far as anybody looks.
    """

    def __init__(self, facts: Facts, events: Sequence[StoredEvent], arrivals: Sequence[StoredEvent]) -> None:
        self._facts, self._events, self._arrivals = facts, events, arrivals

    def __len__(self) -> int:
        return len(self._arrivals) + 1

    def __getitem__(self, index: int) -> Facts:  # type: ignore[override]
        if index == 0:
            return self._facts
        unread = {stored.position for stored in self._arrivals[len(self._arrivals) - index :]}
        since = self._facts.since
        known = fold(
            Facts(self._facts.org_id), Facts.after, [each for each in self._events if each.position not in unread]
        )
        return replace(known, since=since)

    def __iter__(self) -> Iterator[Facts]:
        return (self[index] for index in range(len(self)))


def _is_so(event: Told, said: Due, adopted: bool) -> bool:
    """Whether the announcement says what the rule does. A tool that a restore has lost is taken up as it is."""
    if isinstance(event, e.ToolRetired):
        return said.definition_hash is None and not said.keeps
    if adopted:
        return said.order == event.order
    told = (event.definition_version, event.definition_hash, event.order, frozenset(event.overlay))
    return told == (said.version, said.definition_hash, said.order, said.words)


def _told(event: Told) -> str:
    what = f"{event.name} {event.definition_version} ({event.definition_hash[:6]})"
    if not isinstance(event, e.ToolRetired) and event.overlay:
        what += f" with {[part.part for part in event.overlay]}"
    return f"{type(event).__name__} of {what} by {event.order}"


def _why(book: Book, event: Told, facts: Facts) -> str:
    """In which way it is wrong by now."""
    order = next((one for one in book.orders if one.rollout_id == event.order), None)
    if order is None or order.state == "completed":
        return f"it says {due(facts, book, event.name)}"
    if order.state == "running":
        return f"the clinic is in none of its {order.opened} open stages, or a newer order holds it"
    return f"it is {order.state}, and the clinic did not follow it"

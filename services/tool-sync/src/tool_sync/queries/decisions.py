"""Every write that was ever announced, decided again: was it what the log said that the clinic should have?

fleet        the fleet as of the position that the write names
clinic       its tier, settings, pins, window and orders when the write was announced, or a little before: what arrives
             between a worker's read and its announcement is of another stream, and makes no conflict
a write      POST or PATCH /tool: exactly the version, the order and the clinic's words; a link: no tool that the
             clinic should not have

With a rule taken away, what was justified is decided once more without it: a write that would have been another one,
and a tool that would not have been taken away. What would have been written besides, and was not, is in no log.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias, get_args
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain import events
from tool_sync.domain.drift import is_reworded
from tool_sync.domain.fleet import Clinic, Fleet, decide_tool
from tool_sync.domain.overlay import overlay_of
from tool_sync.log.read import COLUMNS, stored_event
from tool_sync.log.records import StoredEvent
from tool_sync.publishing.fleet import empty_fleet, with_events
from tool_sync.queries.decided_clinics import FACTS, TOOL_FACTS, ClinicHistory, ClinicState, after
from tool_sync.queries.other_rules import Without, clinic_without, fleet_without, state_without

Kind = Literal["tool", "link", "retirement"]

PAGE_EVENTS: Final = 5_000
FINDINGS_MAX: Final = 100

_Write: TypeAlias = events.ToolRegistrationStarted | events.ToolUpdateStarted | events.AssistantLinkStarted
_BESIDES: Final = (events.OrgSettled, events.ToolDriftSeen)
_READ: Final = tuple(
    kind.__name__
    for kinds in (get_args(events.FleetEvent), FACTS, get_args(TOOL_FACTS), get_args(_Write), _BESIDES)
    for kind in kinds
)
_PAGE: Final = f"""
SELECT {COLUMNS} FROM events WHERE position > $1 AND position <= $2 AND type = ANY ($3::text[])
 ORDER BY position LIMIT $4
"""  # noqa: S608 - constants
_HEAD: Final = "SELECT coalesce(max(position), 0) FROM events"
_BORN: Final = "SELECT id, created_at FROM organizations"


@dataclass(frozen=True, slots=True)
class Unjustified:
    """A write that the log does not justify; or what would have been decided otherwise, with a rule taken away."""

    position: int
    org_id: UUID
    kind: Kind
    what: str


@dataclass(slots=True)
class DecisionsJudged:
    """``writes`` were judged; ``older`` are of a release that did not say on what it decided.

    ``stale_seconds``: the oldest state of a clinic that a write was justified by. ``otherwise``: writes that are
    justified, and retirements, that would have been decided otherwise ``without`` a rule; null: none was taken away.
    """

    through: int
    writes: int = 0
    older: int = 0
    stale_seconds: float = 0.0
    unjustified: int = 0
    findings: list[Unjustified] = field(default_factory=list)
    without: Without | None = None
    otherwise: int = 0
    differences: list[Unjustified] = field(default_factory=list)


async def judge_decisions(
    connection: Connection, say: Callable[[int, int], None], without: Without | None = None
) -> DecisionsJudged:
    """Read the log once, in pages, and judge each write. Raises :class:`~tool_sync.log.UnknownEvent`."""
    head: int = await connection.fetchval(_HEAD)
    born = {row["id"]: row["created_at"] for row in await connection.fetch(_BORN)}
    judging = _Judging(born, DecisionsJudged(head, without=without))
    read = 0
    while rows := await connection.fetch(_PAGE, read, head, _READ, PAGE_EVENTS):
        for row in rows:
            judging.take_in(stored_event(row))
        read = rows[-1]["position"]
        say(read, head)
    say(head, head)
    return judging.found


class _Judging:
    def __init__(self, born: Mapping[UUID, datetime], found: DecisionsJudged) -> None:
        self.found = found
        self._born = born
        self._orgs: dict[UUID, ClinicHistory] = {}
        self._fleets: list[Fleet] = [empty_fleet()]
        self._positions: list[int] = [0]
        self._others: dict[int, Fleet] = {}

    def take_in(self, stored: StoredEvent) -> None:
        """One event more, in the order of the log."""
        event = stored.event
        if stored.org_id is None:
            self._fleets.append(with_events(self._fleets[-1], (stored,)))
            self._positions.append(stored.position)
            return
        org = self._orgs.setdefault(stored.org_id, self._new(stored))
        if isinstance(event, _Write):
            self._judge(stored, org)
        elif isinstance(event, events.ToolRetired) and self.found.without is not None:
            self._judge_retired(stored, event, org, self.found.without)
        if isinstance(event, events.ToolRegistered | events.ToolUpdated):
            org.tools[event.name] = event.definition_hash
            org.reworded.pop(event.name, None)
        elif isinstance(event, events.ToolDriftSeen):
            # Whoever writes may not have read the newest of these: all of them must be of words alone.
            org.reworded[event.name] = is_reworded(event) and org.reworded.get(event.name, True)
        state = after(org.states[-1][1], stored)
        if state is not org.states[-1][1]:
            org.become(stored.recorded_at, state)

    def _new(self, stored: StoredEvent) -> ClinicHistory:
        assert stored.org_id is not None
        since = self._born.get(stored.org_id, stored.recorded_at)
        return ClinicHistory([(since, ClinicState(Clinic(str(stored.org_id), "basic", since=since)))])

    def _judge(self, stored: StoredEvent, org: ClinicHistory) -> None:
        event = stored.event
        assert isinstance(event, _Write)
        if event.fleet_position is None:
            self.found.older += 1
            return
        self.found.writes += 1
        fleet = self._fleets[self._number(event.fleet_position)]
        kind: Kind = "link" if isinstance(event, events.AssistantLinkStarted) else "tool"
        wrong = ""
        for number in range(len(org.states) - 1, -1, -1):
            state = org.states[number][1]
            for clinic in state.at(stored.recorded_at):
                found = _wrong(event, clinic, fleet, org.tools) or _forbidden(event, fleet, org)
                found = found or _other_words(event, fleet, state)
                if found is None:
                    self._judge_otherwise(stored, kind, clinic, state, org)
                    if number < len(org.states) - 1:
                        stale = (stored.recorded_at - org.states[number + 1][0]).total_seconds()
                        self.found.stale_seconds = max(self.found.stale_seconds, stale)
                    return
                wrong = wrong or found
        self.found.unjustified += 1
        _note(self.found.findings, stored, kind, wrong)

    def _number(self, position: int) -> int:
        return bisect_right(self._positions, position) - 1

    def _fleet_without(self, rule: Without, position: int) -> Fleet:
        number = self._number(position)
        if number not in self._others:
            self._others[number] = fleet_without(rule, self._fleets[number])
        return self._others[number]

    def _judge_otherwise(
        self, stored: StoredEvent, kind: Kind, clinic: Clinic, state: ClinicState, org: ClinicHistory
    ) -> None:
        event, rule = stored.event, self.found.without
        if rule is None:
            return
        assert isinstance(event, _Write)
        assert event.fleet_position is not None
        fleet = self._fleet_without(rule, event.fleet_position)
        found = _wrong(event, clinic_without(rule, clinic), fleet, org.tools)
        if found := found or _other_words(event, fleet, state_without(rule, state)):
            self._differs(stored, kind, found)

    def _judge_retired(self, stored: StoredEvent, event: events.ToolRetired, org: ClinicHistory, rule: Without) -> None:
        if event.fleet_position is None or event.reason in ("closed", "unused"):
            return
        fleet = self._fleet_without(rule, event.fleet_position)
        for clinic in org.states[-1][1].at(stored.recorded_at):
            made = decide_tool(clinic_without(rule, clinic), fleet, event.name)
            if made.retire_reason is not None:
                return
        self._differs(stored, "retirement", f"{event.name} is taken away ({event.reason}); it would have stayed")

    def _differs(self, stored: StoredEvent, kind: Kind, what: str) -> None:
        self.found.otherwise += 1
        _note(self.found.differences, stored, kind, what)


def _note(found: list[Unjustified], stored: StoredEvent, kind: Kind, what: str) -> None:
    if len(found) < FINDINGS_MAX:
        assert stored.org_id is not None
        found.append(Unjustified(stored.position, stored.org_id, kind, what))


def _wrong(event: _Write, clinic: Clinic, fleet: Fleet, tools: Mapping[str, str]) -> str | None:
    """What the log does not justify about a write, for a clinic in this state; None where it justifies all of it."""
    if isinstance(event, events.AssistantLinkStarted):
        for tool in event.tools:
            made = decide_tool(clinic, fleet, tool.name)
            if made.version is None and not made.keeps:
                return f"{tool.name} is linked, and the clinic should not have it: {made.rule}"
        return None
    made = decide_tool(clinic, fleet, event.name)
    if fleet.document(event.name, event.definition_hash) is None:
        return None  # adopted as it was found: nothing is sent, and it is updated next
    if made.keeps and tools.get(event.name) == event.definition_hash:
        return None
    if made.version is None:
        return f"{event.name} {event.definition_version} is written, and the clinic should not have it: {made.rule}"
    decided, wanted = (event.definition_hash, event.order), (made.version.definition_hash, made.follows)
    if decided != wanted:
        return (
            f"{event.name} {event.definition_version} is written for order {event.order}; the clinic should have "
            f"{made.version.version} by {made.follows or 'its pin'}"
        )
    return None


def _forbidden(event: _Write, fleet: Fleet, org: ClinicHistory) -> str | None:
    """Words that somebody changed are put right, though drift of the tool was only to be reported."""
    if not isinstance(event, events.ToolUpdateStarted) or event.name not in fleet.reported:
        return None
    if org.reworded.get(event.name, False) and org.tools.get(event.name) == event.definition_hash:
        return f"words of {event.name} are put right, and its drift is only reported"
    return None


def _other_words(event: _Write, fleet: Fleet, state: ClinicState) -> str | None:
    """Words of the clinic's are sent that it had not set, or that the version does not take; or others are left out."""
    if isinstance(event, events.AssistantLinkStarted):
        return None
    version = fleet.hashes.get((event.name, event.definition_hash))
    if version is None or event.overlay == overlay_of(version, state.custom.get(event.name, ())):
        return None
    return f"{event.name} {event.definition_version} is written with other words than the clinic has set"

"""Every write that was ever announced, decided again: was it what the log said that the clinic should have?

fleet        the fleet as of the position that the write names
clinic       its tier, settings and orders when the write was announced, or a little before: what arrives between
             a worker's read and its announcement is of another stream, and makes no conflict
a write      POST or PATCH /tool: exactly the version and the order; a link: no tool that the clinic should not have
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal, get_args
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain.events import (
    AssistantLinkStarted,
    Event,
    FleetEvent,
    OrgClosed,
    OrgRegistered,
    OrgTierChanged,
    ToolRegistered,
    ToolRegistrationStarted,
    ToolRetired,
    ToolSettingChanged,
    ToolSettingRemoved,
    ToolUpdated,
    ToolUpdateStarted,
)
from tool_sync.domain.fleet import Clinic, Fleet, decide_tool
from tool_sync.log.read import COLUMNS, stored_event
from tool_sync.log.records import StoredEvent
from tool_sync.publishing.fleet import empty_fleet, with_events

PAGE_EVENTS: Final = 5_000
STALE_MAX: Final = timedelta(seconds=60)
"""So long before a write its clinic may have been as the write takes it: longer than any run of a clinic lasts."""
FINDINGS_MAX: Final = 100

_TOOL_WRITES: Final = ToolRegistrationStarted | ToolUpdateStarted
_FACTS: Final = OrgRegistered | OrgTierChanged | OrgClosed | ToolSettingChanged | ToolSettingRemoved
_READ: Final = (
    *(cls.__name__ for kinds in (FleetEvent, _FACTS, _TOOL_WRITES) for cls in get_args(kinds)),
    *(cls.__name__ for cls in (ToolRegistered, ToolUpdated, ToolRetired, AssistantLinkStarted)),
)
_PAGE: Final = f"""
SELECT {COLUMNS} FROM events WHERE position > $1 AND position <= $2 AND type = ANY ($3::text[])
 ORDER BY position LIMIT $4
"""  # noqa: S608 - constants
_HEAD: Final = "SELECT coalesce(max(position), 0) FROM events"
_BORN: Final = "SELECT id, created_at FROM organizations"


@dataclass(frozen=True, slots=True)
class Unjustified:
    """A write that the log does not justify."""

    position: int
    org_id: UUID
    kind: Literal["tool", "link"]
    what: str


@dataclass(slots=True)
class DecisionsJudged:
    """``writes`` were judged; ``older`` are of a release that did not say on what it decided.

    ``stale_seconds``: the oldest state of a clinic that a write was justified by.
    """

    through: int
    writes: int = 0
    older: int = 0
    stale_seconds: float = 0.0
    unjustified: int = 0
    findings: list[Unjustified] = field(default_factory=list)


@dataclass(slots=True)
class _Org:
    """A clinic's states, newest last, each with the time since which it is so; and the hashes of its tools."""

    states: list[tuple[datetime, Clinic]]
    tools: dict[str, str] = field(default_factory=dict)

    def become(self, at: datetime, clinic: Clinic) -> None:
        self.states.append((at, clinic))
        # The newest one that was over before the window is the one that it begins with.
        while len(self.states) > 1 and self.states[1][0] < at - STALE_MAX:
            del self.states[0]


async def judge_decisions(connection: Connection, say: Callable[[int, int], None]) -> DecisionsJudged:
    """Read the log once, in pages, and judge each write. Raises :class:`~tool_sync.log.UnknownEvent`."""
    head: int = await connection.fetchval(_HEAD)
    born = {row["id"]: row["created_at"] for row in await connection.fetch(_BORN)}
    judging = _Judging(born, DecisionsJudged(head))
    after = 0
    while rows := await connection.fetch(_PAGE, after, head, _READ, PAGE_EVENTS):
        for row in rows:
            judging.take_in(stored_event(row))
        after = rows[-1]["position"]
        say(after, head)
    say(head, head)
    return judging.found


class _Judging:
    def __init__(self, born: Mapping[UUID, datetime], found: DecisionsJudged) -> None:
        self.found = found
        self._born = born
        self._orgs: dict[UUID, _Org] = {}
        self._fleets: list[Fleet] = [empty_fleet()]
        self._positions: list[int] = [0]

    def take_in(self, stored: StoredEvent) -> None:
        """One event more, in the order of the log."""
        event = stored.event
        if stored.org_id is None:
            self._fleets.append(with_events(self._fleets[-1], (stored,)))
            self._positions.append(stored.position)
            return
        org = self._orgs.setdefault(stored.org_id, self._new(stored))
        if isinstance(event, _TOOL_WRITES | AssistantLinkStarted):
            self._judge(stored, org)
        if isinstance(event, ToolRegistered | ToolUpdated):
            org.tools[event.name] = event.definition_hash
        clinic = _after(org.states[-1][1], event)
        if clinic is not org.states[-1][1]:
            org.become(stored.recorded_at, clinic)

    def _new(self, stored: StoredEvent) -> _Org:
        assert stored.org_id is not None
        since = self._born.get(stored.org_id, stored.recorded_at)
        return _Org([(since, Clinic(str(stored.org_id), "basic", since=since))])

    def _judge(self, stored: StoredEvent, org: _Org) -> None:
        event = stored.event
        assert isinstance(event, _TOOL_WRITES | AssistantLinkStarted)
        if event.fleet_position is None:
            self.found.older += 1
            return
        self.found.writes += 1
        fleet = self._fleets[bisect_right(self._positions, event.fleet_position) - 1]
        wrong = ""
        for number in range(len(org.states) - 1, -1, -1):
            found = _wrong(event, org.states[number][1], fleet, org.tools)
            if found is None:
                if number < len(org.states) - 1:
                    stale = (stored.recorded_at - org.states[number + 1][0]).total_seconds()
                    self.found.stale_seconds = max(self.found.stale_seconds, stale)
                return
            wrong = wrong or found
        self.found.unjustified += 1
        if len(self.found.findings) < FINDINGS_MAX:
            assert stored.org_id is not None
            kind: Literal["tool", "link"] = "link" if isinstance(event, AssistantLinkStarted) else "tool"
            self.found.findings.append(Unjustified(stored.position, stored.org_id, kind, wrong))


def _wrong(
    event: ToolRegistrationStarted | ToolUpdateStarted | AssistantLinkStarted,
    clinic: Clinic,
    fleet: Fleet,
    tools: Mapping[str, str],
) -> str | None:
    """What the log does not justify about a write, for a clinic in this state; None where it justifies all of it."""
    if isinstance(event, AssistantLinkStarted):
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
    if made.version is None or made.order is None:
        return f"{event.name} {event.definition_version} is written, and the clinic should not have it: {made.rule}"
    decided, wanted = (event.definition_hash, event.order), (made.version.definition_hash, made.order.rollout_id)
    if decided != wanted:
        return (
            f"{event.name} {event.definition_version} is written for order {event.order}; the clinic should have "
            f"{made.version.version} by {made.order.rollout_id}"
        )
    return None


def _after(clinic: Clinic, event: Event) -> Clinic:
    """The clinic after an event; itself where nothing changes."""
    match event:
        case OrgRegistered(tier=tier):
            return replace(clinic, tier=tier, closed=False)
        case OrgTierChanged(tier=tier):
            return replace(clinic, tier=tier)
        case OrgClosed():
            return replace(clinic, closed=True)
        case ToolSettingChanged(name=name, enabled=enabled):
            off = frozenset(clinic.disabled)
            return replace(clinic, disabled=off - {name} if enabled else off | {name})
        case ToolSettingRemoved(name=name):
            return replace(clinic, disabled=frozenset(clinic.disabled) - {name})
        case ToolRegistered() | ToolUpdated() | ToolRetired() if event.order is not None:
            return replace(
                clinic, follows={**clinic.follows, event.name: {*clinic.follows.get(event.name, ()), event.order}}
            )
        case _:
            return clinic

"""A clinic as the log had it, event by event: what each write of it is judged by (:mod:`.decisions`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from tool_sync.domain import events
from tool_sync.domain.change_window import TIME_ZONE_DEFAULT, ChangeWindow, state_of_window
from tool_sync.domain.evolve.deletions import FOR_GOOD
from tool_sync.domain.fleet import Clinic
from tool_sync.domain.tool_setting import SettingEvent
from tool_sync.domain.toolset import ClinicPin
from tool_sync.log.records import StoredEvent
from tool_sync.queries.change_windows import window_between

STALE_MAX: Final = timedelta(seconds=60)
"""So long before a write its clinic may have been as the write takes it: longer than any run of a clinic lasts."""

FACTS: Final = (
    events.OrgRegistered, events.OrgTierChanged, events.OrgClosed, events.ToolSettingChanged, events.ToolSettingRemoved,
    events.ToolCustomized, events.ToolTextLost, events.ChangeWindowSet, events.ChangeWindowRemoved, events.ToolOrdered,
    events.ToolPinned, events.ToolUnpinned, events.ToolPinExpired,
)  # fmt: skip
TOOL_FACTS = events.ToolRegistered | events.ToolUpdated | events.ToolRetired | events.ToolReinstated


@dataclass(frozen=True, slots=True)
class ClinicState:
    """What the log says of a clinic. ``begun``: by tool, the order that its assistants were told, and where.

    ``custom``: by tool, its own words.
    """

    clinic: Clinic
    window: ChangeWindow | None = None
    time_zone: str = TIME_ZONE_DEFAULT
    begun: Mapping[str, tuple[str | None, int]] = field(default_factory=dict)
    custom: Mapping[str, tuple[events.CustomPart, ...]] = field(default_factory=dict)

    def at(self, recorded_at: datetime) -> Iterator[Clinic]:
        """The clinic with its window as it was then, and a little before, when the write may have been decided."""
        clinic = replace(self.clinic, begun={name: order for name, (order, _) in self.begun.items()})
        if self.window is None:
            yield clinic
            return
        for now in (recorded_at, recorded_at - STALE_MAX):
            window = state_of_window(self.window, self.time_zone, now)
            yield replace(clinic, opens_at=None if window.closes_at is not None else window.opens_at)


@dataclass(slots=True)
class ClinicHistory:
    """A clinic's states, newest last, each with the time since which it is so; the hashes of its tools, and
    those of which somebody has changed words at Vapi."""

    states: list[tuple[datetime, ClinicState]]
    tools: dict[str, str] = field(default_factory=dict)
    reworded: dict[str, bool] = field(default_factory=dict)

    def become(self, at: datetime, state: ClinicState) -> None:
        """Take in the state since a time, and forget those that no write can be judged by any more."""
        self.states.append((at, state))
        # The newest one that was over before the window is the one that it begins with.
        while len(self.states) > 1 and self.states[1][0] < at - STALE_MAX:
            del self.states[0]


def after(state: ClinicState, stored: StoredEvent) -> ClinicState:
    """The clinic after an event; the same where nothing changes."""
    event, clinic = stored.event, state.clinic
    match event:
        case events.OrgRegistered(tier=tier, time_zone=time_zone):
            window = None if clinic.closed else state.window
            tier_at = stored.position if clinic.closed else clinic.tier_at
            clinic = replace(clinic, tier=tier, closed=False, tier_at=tier_at)
            return replace(state, clinic=clinic, window=window, time_zone=time_zone or TIME_ZONE_DEFAULT)
        case events.OrgTierChanged(tier=tier, time_zone=time_zone):
            tier_at = clinic.tier_at if tier == clinic.tier else stored.position
            clinic = replace(clinic, tier=tier, tier_at=tier_at)
            return replace(state, clinic=clinic, time_zone=time_zone or state.time_zone)
        case events.OrgClosed():
            return replace(state, clinic=replace(clinic, closed=True, pins={}), custom={})
        case events.ToolPinned(name=name):
            pin = ClinicPin(event.version, event.definition_hash, event.until, stored.position)
            return replace(state, clinic=replace(clinic, pins={**clinic.pins, name: pin}))
        case events.ToolUnpinned(name=name):
            return _unpinned(state, name)
        case events.ToolPinExpired(name=name, pinned_at=pinned_at):
            pinned = clinic.pins.get(name)
            return _unpinned(state, name) if pinned is not None and pinned.position == pinned_at else state
        case events.ChangeWindowSet(opens=opens, closes=closes):
            return replace(state, window=window_between(opens, closes))
        case events.ChangeWindowRemoved():
            return replace(state, window=None)
        case events.ToolSettingChanged() | events.ToolSettingRemoved() | events.ToolCustomized():
            return _with_setting(state, event, stored.position)
        case events.ToolTextLost(name=name, set_at=set_at) if set_at not in (None, clinic.chosen_at.get(name)):
            return state  # the words were set again meanwhile
        case events.ToolTextLost(name=name, hashes=hashes):
            left = tuple(part for part in state.custom.get(name, ()) if part.hash not in hashes)
            return replace(state, custom={**state.custom, name: left})
        case events.ToolOrdered(name=name, order=order, halt=False):
            return replace(state, begun={**state.begun, name: (order, stored.position)})
        case events.OrgSettled(settled_through=through) if state.begun:
            return replace(state, begun={name: one for name, one in state.begun.items() if one[1] > through})
        case events.ToolRegistered() | events.ToolUpdated() | events.ToolRetired() | events.ToolReinstated():
            return _with_tool(state, event, stored.position)
        case _:
            return state


def _with_setting(state: ClinicState, event: SettingEvent, position: int) -> ClinicState:
    name, clinic = event.name, state.clinic
    off = frozenset(clinic.disabled) - {name}
    if not isinstance(event, events.ToolSettingRemoved) and not event.enabled:
        off |= {name}
    custom = {**state.custom, name: event.parts if isinstance(event, events.ToolCustomized) else ()}
    clinic = replace(clinic, disabled=off, chosen_at={**clinic.chosen_at, name: position})
    return replace(state, clinic=clinic, custom=custom)


def _unpinned(state: ClinicState, name: str) -> ClinicState:
    pins = {one: pin for one, pin in state.clinic.pins.items() if one != name}
    return replace(state, clinic=replace(state.clinic, pins=pins))


def _with_tool(state: ClinicState, event: TOOL_FACTS, position: int) -> ClinicState:
    name, clinic = event.name, state.clinic
    kept = {one: known for one, known in clinic.kept.items() if one != name}
    if not isinstance(event, events.ToolRetired):
        kept[name] = event.definition_hash
    elif event.reason not in FOR_GOOD and name in clinic.kept:
        kept[name] = clinic.kept[name]
    kept_since = (clinic.kept_since or position) if kept else None
    clinic = replace(clinic, kept=kept, kept_since=kept_since)
    order = None if isinstance(event, events.ToolReinstated) else event.order
    if order is not None:
        clinic = replace(clinic, follows={**clinic.follows, name: {*clinic.follows.get(name, ()), order}})
    return replace(state, clinic=clinic, begun={one: told for one, told in state.begun.items() if one != name})

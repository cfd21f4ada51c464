"""What an org is to have, why it is to have none, and why a tool is to go: :mod:`.fleet.decide`, for all its tools.

What is neither wanted nor unwanted is of no tool that the log knows, and is nobody's here to touch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from tool_sync.domain.change_window import state_of_window
from tool_sync.domain.events import CustomPart, RetireReason
from tool_sync.domain.fleet import Clinic, Fleet, ToolDecision, Version, decide_tool
from tool_sync.domain.overlay import overlay_of
from tool_sync.domain.toolset import Toolset


@dataclass(frozen=True, slots=True)
class WantedTool:
    """A tool as one org should have it: hash and overlay cover everything that is registered with Vapi for that org.

    ``order`` is the rollout that it follows; None where it keeps what it has, or is pinned. Not ``is_published``:
    nobody can say what such a tool should look like, so that a change of it at Vapi cannot be put right. ``closes_at``:
    the clinic's change window closes then, and what the order changes is not begun any more; None where nothing of that
    kind limits it. ``reports_drift``: words that somebody changes there are left as they are.
    """

    name: str
    definition_version: int
    definition_hash: str
    order: str | None = None
    is_published: bool = True
    note: str = ""
    reports_drift: bool = False
    overlay: tuple[CustomPart, ...] = ()
    closes_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one org is to have, as of ``fleet_position``. ``none_wanted`` is the code why, where ``tools`` is empty.

    ``orders``: by unwanted tool, the rollout that takes it away, where one does. ``waiting``: tools of which an order
    gives the clinic something else when its change window opens, at ``opens_at``; None where none waits. ``closes_at``:
    when that window, which is open, closes.
    """

    tools: tuple[WantedTool, ...] = ()
    unwanted: Mapping[str, RetireReason] = field(default_factory=lambda: MappingProxyType({}))
    none_wanted: str | None = None
    orders: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    fleet_position: int | None = None
    waiting: tuple[str, ...] = ()
    opens_at: datetime | None = None
    closes_at: datetime | None = None


SWITCHED_OFF_CODE: Final = "TS-501"
TIER_CODE: Final = "TS-502"
NOTHING_ORDERED_CODE: Final = "TS-503"
HALTED_CODE: Final = "TS-504"


def clinic_of(state: Toolset, org_id: UUID, now: datetime | None) -> Clinic:
    """What decisions about this org depend on; ``now`` None: as if its change window were open."""
    window = None if state.window is None or now is None else state_of_window(state.window, state.time_zone, now)
    return Clinic(
        str(org_id),
        state.tier,
        state.closed,
        state.since,
        state.disabled,
        state.given_by,
        state.pins,
        None if window is None or window.closes_at is not None else window.opens_at,
        state.kept,
        state.kept_since,
        state.chosen_at,
        state.tier_at,
        {name: one.rollout_id for name, one in state.begun.items()},
    )


def wanted_of(state: Toolset, fleet: Fleet, org_id: UUID, now: datetime) -> Wanted:
    """What the org of this state is to have."""
    clinic = clinic_of(state, org_id, now)
    decisions = {name: decide_tool(clinic, fleet, name) for name in fleet.names}
    closes_at = _closes_at(state, now)
    found = (_tool(state, fleet, name, made, closes_at) for name, made in decisions.items())
    tools = tuple(tool for tool in found if tool is not None)
    waiting = tuple(name for name, made in decisions.items() if made.rule == "window")
    reasons = {name: made.retire_reason for name, made in decisions.items()}
    return Wanted(
        tools,
        {name: reason for name, reason in reasons.items() if reason is not None and reason != "closed"},
        None if tools else _none_wanted(fleet, clinic),
        {
            name: made.follows
            for name, made in decisions.items()
            if made.follows is not None and made.rule == "ordered to none"
        },
        fleet.position,
        waiting,
        clinic.opens_at if waiting else None,
        closes_at,
    )


def version_given(state: Toolset, fleet: Fleet, org_id: UUID, name: str, now: datetime) -> Version | None:
    """The version by which the org has the tool, or would have it if it were not off, halted or above its tier."""
    clinic = clinic_of(state, org_id, now)
    made = decide_tool(clinic, fleet, name)
    if made.version is not None:
        return made.version
    kept = fleet.hashes.get((name, state.kept.get(name, ""))) if made.keeps else None
    return kept if kept is not None else decide_tool(replace(clinic, opens_at=None), fleet, name).gives


def _closes_at(state: Toolset, now: datetime) -> datetime | None:
    return None if state.window is None else state_of_window(state.window, state.time_zone, now).closes_at


def _tool(state: Toolset, fleet: Fleet, name: str, made: ToolDecision, closes_at: datetime | None) -> WantedTool | None:
    if made.rule == "window" and name in state.kept and name not in state.tools:
        # It was deleted at Vapi, or the clinic was without it for a while: made again as it was.
        version = fleet.hashes[name, state.kept[name]]
        return WantedTool(name, version.version, version.definition_hash, overlay=_overlay(state, version))
    if made.keeps:
        kept = state.tools.get(name)
        if kept is None:
            return None
        published = fleet.hashes.get((name, kept.definition_hash))
        return WantedTool(
            name,
            kept.definition_version,
            kept.definition_hash,
            is_published=published is not None,
            reports_drift=name in fleet.reported,
            # Of what nobody published nothing is sent: it stays with the words that it has.
            overlay=state.overlays.get(name, ()) if published is None else _overlay(state, published),
        )
    if made.version is None:
        return None
    version = made.version
    wanted = WantedTool(
        name,
        version.version,
        version.definition_hash,
        made.follows,
        note=version.note,
        reports_drift=name in fleet.reported,
        overlay=_overlay(state, version),
    )
    is_new = made.rule == "order" and state.kept.get(name) != wanted.definition_hash
    return replace(wanted, closes_at=closes_at) if is_new and closes_at is not None else wanted


def _overlay(state: Toolset, version: Version) -> tuple[CustomPart, ...]:
    return overlay_of(version, state.custom[version.name]) if version.name in state.custom else ()


def _none_wanted(fleet: Fleet, clinic: Clinic) -> str:
    """The code for the reason that is nearest to the clinic: what it can change itself comes first."""
    enabled = replace(clinic, disabled=())
    rules = {decide_tool(enabled, fleet, name).rule for name in fleet.names}
    if not rules.isdisjoint({"order", "pinned"}):
        return SWITCHED_OFF_CODE
    if "halted" in rules:
        return HALTED_CODE
    return TIER_CODE if "tier" in rules else NOTHING_ORDERED_CODE


def leaving(
    state: Toolset, wanted: Wanted, names: Iterable[str], *, has_assistants: bool
) -> Mapping[str, RetireReason]:
    """Why tools of these names are to go; one that is not among the keys stays."""
    if state.closed:
        return dict.fromkeys(names, "closed")
    return wanted.unwanted if has_assistants else dict.fromkeys(names, "unused")

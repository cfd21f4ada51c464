"""What an org is to have, why it is to have none, and why a tool is to go: :mod:`.fleet.decide`, for all its tools.

What is neither wanted nor unwanted is of no tool that the log knows, and is nobody's here to touch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final
from uuid import UUID

from tool_sync.domain.events import RetireReason
from tool_sync.domain.fleet import Clinic, Fleet, ToolDecision, decide_tool
from tool_sync.domain.toolset import Toolset


@dataclass(frozen=True, slots=True)
class WantedTool:
    """A tool as one org should have it; the hash covers everything that is registered with Vapi for that org.

    ``order`` is the rollout that it follows; None where it keeps what it has. Not ``is_published``: nobody can say what
    such a tool should look like, so that a change of it at Vapi cannot be put right.
    """

    name: str
    definition_version: int
    definition_hash: str
    order: str | None = None
    is_published: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one org is to have, as of ``fleet_position``. ``none_wanted`` is the code why, where ``tools`` is empty.

    ``orders``: by unwanted tool, the rollout that takes it away, where one does.
    """

    tools: tuple[WantedTool, ...] = ()
    unwanted: Mapping[str, RetireReason] = field(default_factory=lambda: MappingProxyType({}))
    none_wanted: str | None = None
    orders: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    fleet_position: int | None = None


SWITCHED_OFF_CODE: Final = "TS-501"
TIER_CODE: Final = "TS-502"
NOTHING_ORDERED_CODE: Final = "TS-503"
HALTED_CODE: Final = "TS-504"


def clinic_of(state: Toolset, org_id: UUID) -> Clinic:
    """What decisions about this org depend on."""
    return Clinic(str(org_id), state.tier, state.closed, state.since, state.disabled, state.given_by)


def wanted_of(state: Toolset, fleet: Fleet, org_id: UUID) -> Wanted:
    """What the org of this state is to have."""
    clinic = clinic_of(state, org_id)
    decisions = {name: decide_tool(clinic, fleet, name) for name in fleet.names}
    found = (_tool(state, fleet, name, made) for name, made in decisions.items())
    tools = tuple(tool for tool in found if tool is not None)
    reasons = {name: made.retire_reason for name, made in decisions.items()}
    return Wanted(
        tools,
        {name: reason for name, reason in reasons.items() if reason is not None and reason != "closed"},
        None if tools else _none_wanted(fleet, clinic),
        {
            name: made.order.rollout_id
            for name, made in decisions.items()
            if made.order is not None and made.rule == "ordered to none"
        },
        fleet.position,
    )


def _tool(state: Toolset, fleet: Fleet, name: str, made: ToolDecision) -> WantedTool | None:
    if made.keeps:
        kept = state.tools.get(name)
        if kept is None:
            return None
        is_published = fleet.document(name, kept.definition_hash) is not None
        return WantedTool(name, kept.definition_version, kept.definition_hash, is_published=is_published)
    if made.version is None or made.order is None:
        return None
    return WantedTool(name, made.version.version, made.version.definition_hash, made.order.rollout_id)


def _none_wanted(fleet: Fleet, clinic: Clinic) -> str:
    """The code for the reason that is nearest to the clinic: what it can change itself comes first."""
    enabled = replace(clinic, disabled=())
    rules = {decide_tool(enabled, fleet, name).rule for name in fleet.names}
    if "order" in rules:
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

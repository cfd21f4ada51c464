"""The org's tools: registered, updated, forgotten, retired and wanted again."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from tool_sync.domain.drift import is_reworded
from tool_sync.domain.events import (
    RetireReason,
    ToolDriftSeen,
    ToolRef,
    ToolReinstated,
    ToolRetired,
    ToolVanished,
    ids_of,
)
from tool_sync.domain.plan.due import first_after
from tool_sync.domain.plan.situation import OrgWide, Situation
from tool_sync.domain.plan.steps import NOTHING, Plan, RegisterTool, UpdateTool
from tool_sync.domain.subject import tool_subject
from tool_sync.domain.toolset import UNREADABLE, Toolset
from tool_sync.domain.wanted import WantedTool

OWN_PREFIX: Final = "vapi-"
"""Of what an account is called that is a clinic's own; then follows Vapi's id of it."""


def target_of(state: Toolset, wanted: Iterable[WantedTool]) -> tuple[ToolRef, ...]:
    """The tools that every assistant of the org should have now: the wanted ones that are registered."""
    return tuple(state.tools[tool.name] for tool in wanted if tool.name in state.tools)


def is_current(state: Toolset, tool: WantedTool) -> bool:
    """Whether the org's tool was made from the wanted definition, with the wanted words. A lower version is as good as
    a higher one."""
    current = state.tools.get(tool.name)
    is_same = current is not None and current.definition_hash == tool.definition_hash
    return is_same and state.overlays.get(tool.name, ()) == tool.overlay


def updates_in_place(situation: Situation) -> bool:
    """Whether a tool that the org has is wanted from another definition, or its words are to be put right: of no
    assistant's concern, as its id stays."""
    state = situation.state
    return any(_is_updated_in_place(state, tool) for tool in situation.wanted.tools)


def _is_updated_in_place(state: Toolset, tool: WantedTool) -> bool:
    if tool.name not in state.tools:
        return False
    # What somebody changes is put right when it is seen; this is for when it was only to be reported until now.
    drift = _drift_of(state, tool.name)
    reworded = drift is not None and is_reworded(drift) and not is_as_wanted(state, tool)
    return reworded or not is_current(state, tool)


def left_drift_of(state: Toolset, wanted: Iterable[WantedTool]) -> tuple[ToolDriftSeen, ...]:
    """Words of the org's tools that somebody changed at Vapi, and that are left so."""
    found = ((tool, _drift_of(state, tool.name)) for tool in wanted if tool.reports_drift)
    return tuple(drift for _, drift in found if drift is not None and is_reworded(drift))


def _drift_of(state: Toolset, name: str) -> ToolDriftSeen | None:
    """What was seen to be changed of the tool that the org has."""
    current, seen = state.tools.get(name), state.drifted.get(name)
    return seen if current is not None and seen is not None and seen.vapi_tool_id == current.vapi_tool_id else None


def is_ordered_away(situation: Situation) -> bool:
    """Whether the org has a tool that is halted or that no order gives it.

    A registration whose answer was lost may be found after the tool was taken from everybody: nobody feeds it then.
    """
    state, unwanted = situation.state, situation.wanted.unwanted
    return any(
        unwanted.get(name) in ("order", "halted") and not state.is_open(tool_subject(name)) for name in state.tools
    )


def is_as_wanted(state: Toolset, tool: WantedTool) -> bool:
    """True where the org's tool is current and nobody is known to have changed it at Vapi but for words that may stay.

    What keeps callers from booking is put right whatever the policy: an outcome says that they can.
    """
    drift = _drift_of(state, tool.name)
    left = drift is None or not tool.is_published or (tool.reports_drift and is_reworded(drift))
    return is_current(state, tool) and left


def is_refused(state: Toolset, tool: WantedTool) -> bool:
    """Whether Vapi refuses what is wanted of the tool for good: asked again for the same it would only refuse again.

    By its hash: the next release may define what Vapi takes, and is then tried without anybody's help.
    """
    failure = state.failures.get(tool_subject(tool.name))
    if failure is None or failure.retry_at is not None:
        return False
    return (failure.definition_hash, failure.overlay) == (tool.definition_hash, tool.overlay)


def is_kept(state: Toolset, tool: WantedTool) -> bool:
    """Whether callers reach the tool that the org has, though Vapi refuses the wanted definition of it: it stays as it
    is, and every version that is registered is answered."""
    drift = _drift_of(state, tool.name)
    is_reached = tool.name in state.tools and (drift is None or is_reworded(drift))
    return is_reached and is_refused(state, tool)


def awaited(situation: Situation) -> tuple[bool, datetime | None]:
    """Whether anybody waits for the org's tools (a save, a look that is due, a change to all of it), and the next look.

    Where nobody does, no tool is made: an org without assistants would get tools that it never uses.
    """
    state, now, found = situation.state, situation.now, situation.progress.org_wide
    looking = any(at <= now for at in state.looks.values())
    org_wide = state.org_wide_through is not None and found is not None and found.has_assistants
    asked = any(agent_id != UNREADABLE for agent_id in state.open_requests)
    return looking or org_wide or asked, first_after(now, state.looks.values())


def tool_steps(situation: Situation, *, in_place: bool = False) -> Plan:
    """What makes the wanted tools as they are wanted; each stands alone, so one that is refused holds up no other.

    ``in_place``: only what another definition, or the policy of drift, asks for of tools that the org has.
    """
    state = situation.state
    steps: list[RegisterTool | UpdateTool] = []
    later = []
    for tool in situation.wanted.tools:
        subject, current = tool_subject(tool.name), state.tools.get(tool.name)
        if subject in situation.progress.busy or state.is_open(subject) or is_as_wanted(state, tool):
            continue
        if in_place and not _is_updated_in_place(state, tool):
            continue
        if tool.name in state.retired and not state.retired[tool.name].deletion_sent:
            continue  # it is reinstated first
        if is_refused(state, tool):
            continue
        failure = state.failures.get(subject)
        if failure is not None and failure.retry_at is not None and failure.retry_at > situation.now:
            later.append(failure.retry_at)
            continue
        steps.append(RegisterTool(tool) if current is None else UpdateTool(tool, current))
    return Plan(tuple(steps), next_due=min(later, default=None)) if steps or later else NOTHING


def vanished(situation: Situation) -> tuple[ToolVanished, ...]:
    """Tools that somebody deleted at Vapi, or that are in the account that the org had before: every assistant that
    names one fails its next call."""
    state, tools = situation.state, situation.state.tools
    if state.account is not None and has_moved(state.account, situation.account):
        return tuple(ToolVanished(state.account, *ref.fields) for ref in tools.values())
    return tuple(
        ToolVanished(situation.account, *tools[name].fields)
        for name, seen in state.drifted.items()
        if seen.gone and name in tools and tools[name].vapi_tool_id == seen.vapi_tool_id
    )


def has_moved(before: str, now: str) -> bool:
    """Whether an org's work goes to another account at Vapi than before. What the platform calls its own says nothing:
    that is a setting."""
    return before != now and (before.startswith(OWN_PREFIX) or now.startswith(OWN_PREFIX))


def reinstatements(situation: Situation) -> tuple[ToolReinstated, ...]:
    """Retired tools that are wanted again. While a deletion has no answer it is waited for."""
    state = situation.state
    found = [state.retired[tool.name] for tool in situation.wanted.tools if tool.name in state.retired]
    return tuple(
        ToolReinstated(situation.account, *retired.ref.fields, situation.wanted.fleet_position)
        for retired in found
        if not retired.deletion_sent and not state.is_open(tool_subject(retired.ref.name))
    )


def retirements(situation: Situation, reasons: Mapping[str, RetireReason]) -> tuple[ToolRetired, ...]:
    """The tools that go, after the grace: whoever switches a tool off by mistake gets the same one back."""
    state, wanted, delete_at = situation.state, situation.wanted, situation.now + situation.policy.tool_grace
    return tuple(
        ToolRetired(
            situation.account, *ref.fields, reasons[name], delete_at, wanted.orders.get(name), wanted.fleet_position
        )
        for name, ref in state.tools.items()
        if name in reasons and not state.is_open(tool_subject(name))
    )


def is_looked_through(situation: Situation, found: OrgWide) -> bool:
    """Whether the run has taken up every assistant that lacks something, with the tools as they are now.

    Who has come since the last page was read has a request of its own, and is not looked for again.
    """
    target = target_of(situation.state, situation.wanted.tools)
    return not found.has_assistants or (ids_of(found.target) == ids_of(target) and found.is_last)


def nothing_open(situation: Situation, found: OrgWide) -> bool:
    """Whether nothing is left that only this org-wide change keeps in mind: a tool to come, or a lost answer."""
    state = situation.state
    # Registered as wanted, or refused for good: nothing about such a tool will change by waiting.
    done = (is_as_wanted(state, tool) or is_refused(state, tool) for tool in situation.wanted.tools)
    return not state.attempts and (not found.has_assistants or all(done))

"""The org's tools: registered, updated, forgotten, retired and wanted again."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from tool_sync.domain.events import RetireReason, ToolRef, ToolReinstated, ToolRetired, ToolVanished, ids_of
from tool_sync.domain.plan.due import first_after
from tool_sync.domain.plan.situation import OrgWide, Situation
from tool_sync.domain.plan.steps import NOTHING, Plan, RegisterTool, UpdateTool
from tool_sync.domain.subject import tool_subject
from tool_sync.domain.toolset import UNREADABLE, Failure, Toolset
from tool_sync.domain.wanted import WantedTool


def target_of(state: Toolset, wanted: Iterable[WantedTool]) -> tuple[ToolRef, ...]:
    """The tools that every assistant of the org should have now: the wanted ones that are registered."""
    return tuple(state.tools[tool.name] for tool in wanted if tool.name in state.tools)


def is_current(current: ToolRef | None, tool: WantedTool) -> bool:
    """Whether the org's tool was made from the wanted definition. A lower version is as good as a higher one."""
    return current is not None and current.definition_hash == tool.definition_hash


def updates_in_place(situation: Situation) -> bool:
    """Whether a tool that the org has is wanted from another definition: of no assistant's concern, as its id stays."""
    tools = situation.state.tools
    return any(tool.name in tools and not is_current(tools[tool.name], tool) for tool in situation.wanted.tools)


def is_ordered_away(situation: Situation) -> bool:
    """Whether the org has a tool that is halted or that no order gives it.

    A registration whose answer was lost may be found after the tool was taken from everybody: nobody feeds it then.
    """
    state, unwanted = situation.state, situation.wanted.unwanted
    return any(
        unwanted.get(name) in ("order", "halted") and not state.is_open(tool_subject(name)) for name in state.tools
    )


def is_as_wanted(state: Toolset, tool: WantedTool) -> bool:
    """True where the org's tool is current and nobody is known to have changed it at Vapi."""
    current, seen = state.tools.get(tool.name), state.drifted.get(tool.name)
    drifted = current is not None and seen is not None and seen.vapi_tool_id == current.vapi_tool_id
    return is_current(current, tool) and not (drifted and tool.is_published)


def is_permanent(failure: Failure, tool: WantedTool) -> bool:
    """Refused for good: asking again with the same definition would only be refused again."""
    return failure.retry_at is None and failure.definition_hash == tool.definition_hash


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

    ``in_place``: only what another definition asks for of tools that the org has.
    """
    state = situation.state
    steps: list[RegisterTool | UpdateTool] = []
    later = []
    for tool in situation.wanted.tools:
        subject, current = tool_subject(tool.name), state.tools.get(tool.name)
        if subject in situation.progress.busy or state.is_open(subject) or is_as_wanted(state, tool):
            continue
        if in_place and (current is None or is_current(current, tool)):
            continue
        if tool.name in state.retired and not state.retired[tool.name].deletion_sent:
            continue  # it is reinstated first
        failure = state.failures.get(subject)
        # By its hash: the next release may define what Vapi takes, and is then tried without anybody's help.
        if failure is not None and is_permanent(failure, tool):
            continue
        if failure is not None and failure.retry_at is not None and failure.retry_at > situation.now:
            later.append(failure.retry_at)
            continue
        steps.append(RegisterTool(tool) if current is None else UpdateTool(tool, current))
    return Plan(tuple(steps), next_due=min(later, default=None)) if steps or later else NOTHING


def vanished(situation: Situation) -> tuple[ToolVanished, ...]:
    """Tools that somebody deleted at Vapi: every assistant that names one fails its next call."""
    tools = situation.state.tools
    return tuple(
        ToolVanished(situation.account, *tools[name].fields)
        for name, seen in situation.state.drifted.items()
        if seen.gone and name in tools and tools[name].vapi_tool_id == seen.vapi_tool_id
    )


def reinstatements(situation: Situation) -> tuple[ToolReinstated, ...]:
    """Retired tools that are wanted again. While a deletion has no answer it is waited for."""
    state = situation.state
    found = [state.retired[tool.name] for tool in situation.wanted.tools if tool.name in state.retired]
    return tuple(
        ToolReinstated(situation.account, *retired.ref.fields)
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
    """Whether the run has taken up every assistant that lacks something, with the tools as they are now."""
    target = target_of(situation.state, situation.wanted.tools)
    return not found.has_assistants or (ids_of(found.target) == ids_of(target) and not found.agents)


def nothing_open(situation: Situation, found: OrgWide) -> bool:
    """Whether nothing is left that only this org-wide change keeps in mind: a tool to come, or a lost answer."""
    state = situation.state
    return not state.attempts and (
        not found.has_assistants or all(_is_done(state, tool) for tool in situation.wanted.tools)
    )


def _is_done(state: Toolset, tool: WantedTool) -> bool:
    """Registered as wanted, or refused for good: nothing about it will change by waiting."""
    failure = state.failures.get(tool_subject(tool.name))
    return is_as_wanted(state, tool) or (failure is not None and is_permanent(failure, tool))

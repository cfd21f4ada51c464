"""What is due now, and when to look again: ``next_steps(situation) -> Plan``.

    every wanted tool      registered, or updated where its definition changed; each stands alone
    every lost answer      looked up once it can no longer land (the settle time)
    every assistant        linked once no tool step is due or under way, then settled by an outcome
                           (with work)
    every unwanted tool    retired once no assistant is left that should lose it, deleted after the grace
    every surplus tool     deleted when it is old enough
    every pin              ended when its time has come

Nothing here waits: what is not due yet becomes ``Plan.next_due``, and the org is released until then.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tool_sync.domain.commands import Command
from tool_sync.domain.events import OrgSettled
from tool_sync.domain.plan.assistants import assistants_due, closed, removed, unreadable
from tool_sync.domain.plan.deletions import deletions
from tool_sync.domain.plan.due import combined, earlier, expired_pins, lost_answers, next_expiry
from tool_sync.domain.plan.lanes import in_lanes
from tool_sync.domain.plan.situation import Situation
from tool_sync.domain.plan.steps import NOTHING, LinkAssistant, Plan, Step
from tool_sync.domain.plan.tools import (
    awaited,
    is_looked_through,
    is_ordered_away,
    nothing_open,
    reinstatements,
    retirements,
    tool_steps,
    updates_in_place,
    vanished,
)
from tool_sync.domain.subject import is_tool
from tool_sync.domain.toolset import Toolset
from tool_sync.domain.wanted import leaving

FIRST_REVISION: Final = 1


def next_steps(situation: Situation) -> Plan:
    """What to do next for one org.

    A tool that is neither wanted nor unwanted is left alone, as the log knows nothing of it. One that the org has and
    that is ordered in another version is updated though nobody waits for it.
    """
    plan, opens_at = _due_steps(situation), situation.wanted.opens_at
    # What waits for the clinic's change window has a due time, and is no failure.
    waits = opens_at is not None and not situation.state.closed
    return replace(plan, next_due=earlier(plan.next_due, opens_at)) if waits else plan


def _due_steps(situation: Situation) -> Plan:
    state, progress = situation.state, situation.progress
    if not (has_work(state) or updates_in_place(situation) or is_ordered_away(situation)):
        return NOTHING
    if ended := expired_pins(situation):
        return Plan(commands=ended)
    if state.closed:
        return _closing(situation)
    first: tuple[Command, ...] = unreadable(situation)
    if _is_org_wide(situation) and progress.org_wide is None:
        return Plan(commands=first, look_org_wide=not first)
    # Before any tool step, so that nothing is made at Vapi for who is gone.
    if commands := (*first, *removed(situation), *vanished(situation)):
        return Plan(commands=commands)
    is_awaited, next_look = awaited(situation)
    if is_awaited and (again := reinstatements(situation)):
        return Plan(commands=again)
    next_due = earlier(next_look, next_expiry(situation))
    plan = combined(Plan(next_due=next_due) if next_due else NOTHING, lost_answers(situation))
    plan = combined(plan, tool_steps(situation, in_place=not is_awaited))
    in_motion = progress.busy.union(step.subject for step in plan.steps)
    # An assistant gets all its tools in one write, so it waits while one of them may still come.
    if not any(map(is_tool, in_motion)):
        plan = combined(plan, assistants_due(situation, in_motion))
    elif ahead := _ahead(assistants_due(situation, in_motion).steps, state):
        plan = replace(plan, ahead=ahead)
    if plan.steps:
        plan = replace(plan, steps=in_lanes(plan.steps, state))
    idle = not (plan.steps or plan.commands or progress.busy)
    return _concluded(situation, plan) if idle else plan


def _ahead(steps: Sequence[Step], state: Toolset) -> tuple[LinkAssistant, ...]:
    """The links whose assistant may be read now, though they are not due: those of first saves.

    What is saved or edited between the read and the link is overwritten. Nobody has anything to save a second time
    within a second of the first, or to edit; later both happen, and would be lost more often than they are today.
    """
    first = [s for s in steps if isinstance(s, LinkAssistant) and s.assistant.revision == FIRST_REVISION]
    return tuple(s for s in in_lanes(first, state) if isinstance(s, LinkAssistant) and s.lane == "save")


def _concluded(situation: Situation, plan: Plan) -> Plan:
    """What is left where nothing else is: the end of an org-wide change, then deletions."""
    state, found = situation.state, situation.progress.org_wide
    if _is_org_wide(situation) and found is not None:
        if not is_looked_through(situation, found):
            # This page is done, or what is left of it waits for a time of its own; or a tool has come meanwhile.
            return replace(plan, look_org_wide=True)
        if nothing_open(situation, found):
            reasons = leaving(state, situation.wanted, state.tools, has_assistants=found.has_assistants)
            gone = retirements(situation, reasons)
            # A change window holds nothing back for a clinic that has no tool left: what waited for it is wanted now,
            # and made before this change is settled, as nobody would look for it again.
            if gone and state.window is not None:
                return replace(plan, commands=gone)
            # The change is settled up to where it was loaded: one that arrived since then is looked through anew.
            through = () if state.org_wide_through is None else (OrgSettled(state.org_wide_through),)
            if commands := (*gone, *through):
                return replace(plan, commands=commands)
    return combined(plan, deletions(situation))


def _is_org_wide(situation: Situation) -> bool:
    return situation.state.org_wide_through is not None or is_ordered_away(situation)


def _closing(situation: Situation) -> Plan:
    """An org that is closed: its requests end at once, its tools after the grace. Its assistants are not ours."""
    state = situation.state
    reasons = leaving(state, situation.wanted, state.tools, has_assistants=False)
    org_wide = () if state.org_wide_through is None else (OrgSettled(state.org_wide_through),)
    commands = (*unreadable(situation), *closed(situation), *retirements(situation, reasons), *org_wide)
    if commands:
        return Plan(commands=commands)
    lost = lost_answers(situation)
    return lost if lost.steps or situation.progress.busy else combined(lost, deletions(situation))


def has_work(state: Toolset) -> bool:
    """Whether anything is open, now or at a later time."""
    asked = state.open_requests or state.attempts or state.looks or state.org_wide_through or state.pins
    return bool(asked or state.retired or state.surplus or state.suspects or (state.closed and state.tools))

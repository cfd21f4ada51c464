"""The org's assistants: which of them have work, and what each needs next.

An assistant is looked at once in a run, after everything that was loaded, and its outcome says what was seen then.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final, assert_never

from tool_sync.domain.commands import Command, FailStep, SettleFailed, SettleSynced
from tool_sync.domain.drift import MISSING_CODE, ids_to_unlink
from tool_sync.domain.events import SyncRequested, ToolFailure, ToolRef, ids_of
from tool_sync.domain.pauses import patience_ends
from tool_sync.domain.plan.lanes import has_save
from tool_sync.domain.plan.situation import ObservedLink, RunProgress, Situation
from tool_sync.domain.plan.steps import LinkAssistant, Plan
from tool_sync.domain.plan.tools import is_as_wanted, is_permanent, target_of
from tool_sync.domain.reach import OF_ANOTHER_CODE
from tool_sync.domain.subject import agent_subject, tool_subject
from tool_sync.domain.toolset import OUTDATED_CODE, UNREADABLE, Assistant, Request, Toolset
from tool_sync.domain.wanted import WantedTool

REMOVED_CODE: Final = "TS-402"
CLOSED_CODE: Final = "TS-403"
UNREADABLE_CODE: Final = "TS-401"
NOT_YET_CODE: Final = "TS-104"
"""For a tool whose answer is still unknown when its save is given up."""

CAUSE_RECOVERED: Final = "recovered"
CAUSE_DRIFT: Final = "drift"

Requests = tuple[Request, ...]
Next = LinkAssistant | SettleSynced | SettleFailed | FailStep | datetime | None
"""What one assistant needs: a step now, a decision now, something at a later time, or nothing."""


def agents_with_work(state: Toolset, now: datetime) -> tuple[str, ...]:
    """Assistants with an open save, those with another open request, then those to look at again; each as they came."""
    asked = [agent_id for agent_id in state.open_requests if agent_id != UNREADABLE]
    saves = [agent_id for agent_id in asked if has_save(state.open_requests[agent_id])]
    looks = [agent_id for agent_id, at in state.looks.items() if at <= now]
    return tuple(dict.fromkeys((*saves, *asked, *looks)))


def agents_of(state: Toolset, now: datetime, progress: RunProgress) -> tuple[str, ...]:
    """The assistants that a plan looks at: the page, or all with work; then those found for an org-wide change."""
    page = agents_with_work(state, now) if progress.page is None else progress.page
    found = sorted(progress.org_wide.agents) if progress.org_wide else ()
    return tuple(dict.fromkeys((*page, *found)))


def unreadable(situation: Situation) -> tuple[SettleFailed, ...]:
    """The outcome of saves that could not be read: nobody can ever do what they asked."""
    requests = situation.state.open_requests.get(UNREADABLE)
    if not requests:
        return ()
    account, through = situation.account, requests[-1].position
    return (SettleFailed(None, None, None, account, (), (), UNREADABLE_CODE, through, None),)


def closed(situation: Situation) -> tuple[SettleFailed, ...]:
    """The outcomes of all saves of an org that is closed."""
    account = situation.account
    return tuple(
        SettleFailed(
            agent_id, asked.assistant_id, asked.revision, account, (), (), CLOSED_CODE, requests[-1].position, None
        )
        for agent_id, requests in situation.state.open_requests.items()
        if isinstance(asked := requests[-1].asked, SyncRequested)
    )


def removed(situation: Situation) -> list[Command]:
    """What ends the requests of assistants that were deleted, and the looks at them."""
    state = situation.state
    commands: list[Command] = []
    for agent_id in agents_of(state, situation.now, situation.progress):
        assistant = situation.assistants.get(agent_id)
        if assistant is None or not assistant.removed:
            continue
        requests = state.open_requests.get(agent_id, ())
        if failed := _failed(situation, assistant, requests, (), REMOVED_CODE, look=False):
            commands.append(failed)
        elif agent_id in state.looks:
            commands.append(FailStep(agent_subject(agent_id), None, "refused", REMOVED_CODE, None))
    return commands


def assistants_due(situation: Situation, in_motion: frozenset[str]) -> Plan:
    """What all assistants with work need, but those whose subject is ``in_motion``."""
    state = situation.state
    steps, commands, later = [], list[Command](), []
    for agent_id in agents_of(state, situation.now, situation.progress):
        assistant = situation.assistants.get(agent_id)
        if assistant is None or assistant.removed or agent_subject(agent_id) in in_motion:
            continue
        match _next(situation, assistant, state.open_requests.get(agent_id, ())):
            case LinkAssistant() as step:
                steps.append(step)
            case SettleSynced() | SettleFailed() | FailStep() as command:
                commands.append(command)
            case datetime() as at:
                later.append(at)
            case None:
                pass
            case other:
                assert_never(other)
    return Plan(tuple(steps), tuple(commands), min(later, default=None))


def _next(situation: Situation, assistant: Assistant, requests: Requests) -> Next:
    state, now = situation.state, situation.now
    subject = agent_subject(assistant.agent_id)
    # While a link has no answer nothing is linked again: it may land after the new one, over a newer save.
    if state.is_open(subject):
        return _given_up(situation, assistant, requests, NOT_YET_CODE)
    failure = state.failures.get(subject)
    # A late answer about the assistant that the agent had before says nothing of this one.
    if failure is not None and failure.assistant_id not in (None, assistant.assistant_id):
        failure = None
    # Refused for good: only a save, another definition or an operator helps, so whoever waits is told now.
    if failure is not None and failure.retry_at is None:
        is_missing = failure.code == MISSING_CODE and failure.assistant_id == assistant.assistant_id
        if is_missing and not requests and assistant.synced and not assistant.failed:
            return _gone(situation, assistant)
        return _failed(situation, assistant, requests, (), failure.code, look=False)
    if failure is not None and failure.retry_at is not None and failure.retry_at > now:
        given_up = _given_up(situation, assistant, requests, failure.code)
        if isinstance(given_up, SettleFailed):
            return given_up
        return failure.retry_at if given_up is None else min(given_up, failure.retry_at)
    target = target_of(state, situation.wanted.tools)
    look_at = state.looks.get(assistant.agent_id)
    if not requests and look_at is None and not _differs(situation, assistant, target):
        return None  # taken up for an org-wide change, and told about it
    seen = situation.progress.seen.get(assistant.agent_id)
    if not requests and seen is not None and look_at is not None and look_at > now:
        return look_at  # this run has looked, and said when to look again
    through = requests[-1].position if requests else 0
    # What was seen counts for the saves that had been loaded by then, and for these tools: a newer save may have
    # replaced the model since, links and all.
    if seen is None or ids_of(seen.tools) != ids_of(target) or seen.through < through:
        return LinkAssistant(assistant, target, through, _ids_to_unlink(situation))
    return _settled(situation, assistant, requests, replace(seen, tools=target))


def _ids_to_unlink(situation: Situation) -> frozenset[str]:
    """The ids of ours that no assistant should link, whether this one is known to link them or not."""
    state = situation.state
    # Not retired yet: that is when the last assistant has lost it, and a save may have put it back meanwhile.
    leaving = (ref.vapi_tool_id for name, ref in state.tools.items() if name in situation.wanted.unwanted)
    return ids_to_unlink(state).union(leaving)


def _settled(situation: Situation, assistant: Assistant, requests: Requests, seen: ObservedLink) -> Next:
    state, target = situation.state, seen.tools
    if seen.obstacles or seen.another:
        return _obstructed(situation, assistant, requests, seen)
    lacking = [tool for tool in situation.wanted.tools if not is_as_wanted(state, tool)]
    if lacking:
        code = _tool_code(state, lacking[0], NOT_YET_CODE)
        # A save gets one outcome, so a single tool that may still come keeps it open.
        if all(_is_refused(state, tool) for tool in lacking):
            return _failed(situation, assistant, requests, target, code, look=False)
        return _given_up(situation, assistant, requests, code, target)
    return SettleSynced(
        agent_id=assistant.agent_id,
        assistant_id=assistant.assistant_id,
        revision=_revision(assistant, requests),
        account=situation.account,
        tools=target,
        through=seen.through,
        changed=_differs(situation, assistant, target),
        cause=CAUSE_RECOVERED if assistant.failed else state.org_wide_cause or CAUSE_RECOVERED,
        reason=situation.wanted.none_wanted,
    )


def _obstructed(
    situation: Situation, assistant: Assistant, requests: Requests, seen: ObservedLink
) -> SettleFailed | FailStep:
    """Linked, and yet no caller reaches it, or nobody's to link: told at once, and looked at again like a failure.

    Where no request asks and all of it has been told, only the next look is written down.
    """
    state = situation.state
    code = OF_ANOTHER_CODE if seen.another else seen.obstacles[0].code
    linked = () if seen.another else seen.tools
    look_at = situation.now + situation.policy.look_again
    told = (assistant.failed, assistant.code, ids_of(assistant.synced))
    if not requests and told == (True, code, ids_of(linked)):
        return FailStep(agent_subject(assistant.agent_id), None, "refused", code, look_at)
    codes = {name: obstacle.code for obstacle in reversed(seen.obstacles) for name in obstacle.tools}
    kept = {ref.name for ref in linked}
    return SettleFailed(
        agent_id=assistant.agent_id,
        assistant_id=assistant.assistant_id,
        revision=_revision(assistant, requests),
        account=situation.account,
        tools=linked,
        failed_tools=tuple(
            ToolFailure(tool.name, codes.get(tool.name) or _tool_code(state, tool, code))
            for tool in situation.wanted.tools
            if tool.name in codes or tool.name not in kept
        ),
        code=code,
        through=seen.through,
        look_at=look_at,
        cause=None if requests else state.org_wide_cause or CAUSE_DRIFT,
    )


def _differs(situation: Situation, assistant: Assistant, target: tuple[ToolRef, ...]) -> bool:
    """Whether the newest outcome said something else than that callers reach exactly these tools."""
    told = not assistant.failed and ids_of(assistant.synced) == ids_of(target)
    return not told or (not target and assistant.code != situation.wanted.none_wanted)


def _given_up(
    situation: Situation,
    assistant: Assistant,
    requests: Requests,
    code: str,
    target: tuple[ToolRef, ...] | None = None,
) -> SettleFailed | datetime | None:
    """A failing outcome once the oldest request has waited too long; until then, the time when that will be."""
    if not requests:
        return None
    # From the oldest request: further saves must not put off what its sender is told.
    policy = situation.policy
    patience = policy.diverged_give_up if code == OUTDATED_CODE else policy.give_up
    ends = patience_ends(requests[0].recorded_at, patience, situation.pauses)
    if ends > situation.now:
        return ends
    return _failed(situation, assistant, requests, assistant.linked if target is None else target, code, look=True)


def _failed(
    situation: Situation,
    assistant: Assistant,
    requests: Requests,
    target: tuple[ToolRef, ...],
    code: str,
    *,
    look: bool,
) -> SettleFailed | None:
    if not requests:
        return None
    linked = {ref.name for ref in target}
    return SettleFailed(
        agent_id=assistant.agent_id,
        assistant_id=assistant.assistant_id,
        revision=_revision(assistant, requests),
        account=situation.account,
        tools=target,
        failed_tools=tuple(
            ToolFailure(tool.name, _tool_code(situation.state, tool, code))
            for tool in situation.wanted.tools
            if tool.name not in linked
        ),
        code=code,
        through=requests[-1].position,
        look_at=situation.now + situation.policy.look_again if look else None,
    )


def _gone(situation: Situation, assistant: Assistant) -> SettleFailed:
    """Somebody deleted an assistant at Vapi whose newest outcome still says that its callers reach its tools."""
    return SettleFailed(
        agent_id=assistant.agent_id,
        assistant_id=assistant.assistant_id,
        revision=assistant.revision,
        account=situation.account,
        tools=(),
        failed_tools=tuple(ToolFailure(tool.name, MISSING_CODE) for tool in situation.wanted.tools),
        code=MISSING_CODE,
        through=0,
        look_at=None,
        cause=CAUSE_DRIFT,
    )


def _is_refused(state: Toolset, tool: WantedTool) -> bool:
    failure = state.failures.get(tool_subject(tool.name))
    return failure is not None and is_permanent(failure, tool)


def _tool_code(state: Toolset, tool: WantedTool, default: str) -> str:
    failure = state.failures.get(tool_subject(tool.name))
    return failure.code if failure else default


def _revision(assistant: Assistant, requests: Requests) -> int:
    """The newest revision that an outcome speaks of: that of its newest request, else what is known."""
    asked = requests[-1].asked if requests else None
    return asked.revision if isinstance(asked, SyncRequested) else assistant.revision

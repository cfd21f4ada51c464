"""The org's assistants: which of them have work, and what each needs next.

An assistant is looked at once in a run, after everything that was loaded, and its outcome says what was seen then.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final, assert_never

from tool_sync.domain.commands import Command, FailStep, SettleFailed, SettleSynced
from tool_sync.domain.drift import MISSING_CODE, ids_to_unlink
from tool_sync.domain.events import SyncRequested, ToolFailure, ToolRef, ids_of
from tool_sync.domain.pauses import patience_ends
from tool_sync.domain.plan.lanes import has_save
from tool_sync.domain.plan.situation import ObservedLink, RunProgress, Situation
from tool_sync.domain.plan.steps import LinkAssistant, Plan
from tool_sync.domain.plan.tools import is_as_wanted, is_kept, is_refused, target_of
from tool_sync.domain.reach import OBSTACLE_CODES, OF_ANOTHER_CODE
from tool_sync.domain.subject import Subject, agent_subject, tool_subject
from tool_sync.domain.toolset import OUTDATED_CODE, UNREADABLE, Assistant, Request, Toolset
from tool_sync.domain.wanted import WantedTool

REMOVED_CODE: Final = "TS-402"
CLOSED_CODE: Final = "TS-403"
UNREADABLE_CODE: Final = "TS-401"
NOT_YET_CODE: Final = "TS-104"
"""For a tool whose answer is still unknown when its save is given up."""

CAUSE_RECOVERED: Final = "recovered"
CAUSE_DRIFT: Final = "drift"

Tools = tuple[ToolRef, ...]
NO_CODES: Final = MappingProxyType[str, str]({})
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
    commands: list[Command] = []
    for work in _all_work(situation):
        if not work.assistant.removed:
            continue
        if failed := work.failed((), REMOVED_CODE, look=False):
            commands.append(failed)
        elif work.assistant.agent_id in situation.state.looks:
            commands.append(FailStep(work.subject, None, "refused", REMOVED_CODE, None))
    return commands


def assistants_due(situation: Situation, in_motion: frozenset[str]) -> Plan:
    """What all assistants with work need, but those whose subject is ``in_motion``."""
    steps, commands, later = [], list[Command](), []
    for work in _all_work(situation):
        if work.assistant.removed or work.subject in in_motion:
            continue
        match work.next():
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


def _all_work(situation: Situation) -> Iterator["_AssistantWork"]:
    for agent_id in agents_of(situation.state, situation.now, situation.progress):
        if (assistant := situation.assistants.get(agent_id)) is not None:
            requests = situation.state.open_requests.get(agent_id, ())
            yield _AssistantWork(situation, assistant, requests, agent_subject(agent_id))


@dataclass(frozen=True, slots=True)
class _AssistantWork:
    """An assistant that a plan looks at, with its agent's open requests."""

    situation: Situation
    assistant: Assistant
    requests: tuple[Request, ...]
    subject: Subject

    def next(self) -> Next:
        """What the assistant needs."""
        situation, assistant, requests = self.situation, self.assistant, self.requests
        state, now = situation.state, situation.now
        # While a link has no answer nothing is linked again: it may land after the new one, over a newer save.
        if state.is_open(self.subject):
            return self._given_up(NOT_YET_CODE, assistant.linked)
        failure = state.failures.get(self.subject)
        # A late answer about the assistant that the agent had before says nothing of this one.
        if failure is not None and failure.assistant_id not in (None, assistant.assistant_id):
            failure = None
        # Refused for good: only a save, another definition or an operator helps, so whoever waits is told now.
        if failure is not None and failure.retry_at is None:
            is_missing = failure.code == MISSING_CODE and failure.assistant_id == assistant.assistant_id
            if is_missing and not requests and assistant.synced and not assistant.failed:
                return self._gone()
            return self.failed((), failure.code, look=False)
        if failure is not None and requests and failure.code in OBSTACLE_CODES:
            # Nobody asked when the next look was put off; this request arrived beside it, and is told what is seen now.
            failure = None
        if failure is not None and failure.retry_at is not None and failure.retry_at > now:
            given_up = self._given_up(failure.code, assistant.linked)
            if isinstance(given_up, SettleFailed):
                return given_up
            return failure.retry_at if given_up is None else min(given_up, failure.retry_at)
        target = target_of(state, situation.wanted.tools)
        look_at = state.looks.get(assistant.agent_id)
        if not requests and look_at is None and not self._differs(target):
            return None  # taken up for an org-wide change, and told about it
        seen = situation.progress.seen.get(assistant.agent_id)
        if not requests and seen is not None and look_at is not None and look_at > now:
            return look_at  # this run has looked, and said when to look again
        through = requests[-1].position if requests else 0
        # What was seen counts for the saves that had been loaded by then, and for these tools: a newer save may have
        # replaced the model since, links and all.
        if seen is None or ids_of(seen.tools) != ids_of(target) or seen.through < through:
            return LinkAssistant(assistant, target, through, _ids_to_unlink(situation))
        return self._settled(replace(seen, tools=target))

    def _settled(self, seen: ObservedLink) -> Next:
        situation, assistant, target = self.situation, self.assistant, seen.tools
        state = situation.state
        if seen.obstacles or seen.another:
            return self._obstructed(seen)
        lacking = [tool for tool in situation.wanted.tools if not (is_as_wanted(state, tool) or is_kept(state, tool))]
        if lacking:
            code = _tool_code(state, lacking[0], NOT_YET_CODE)
            # A save gets one outcome, so a single tool that may still come keeps it open.
            if all(is_refused(state, tool) for tool in lacking):
                return self.failed(target, code, look=False)
            return self._given_up(code, target)
        return SettleSynced(
            agent_id=assistant.agent_id,
            assistant_id=assistant.assistant_id,
            revision=self._revision,
            account=situation.account,
            tools=target,
            through=seen.through,
            changed=self._differs(target),
            cause=CAUSE_RECOVERED if assistant.failed else state.org_wide_cause or CAUSE_RECOVERED,
            reason=situation.wanted.none_wanted,
        )

    def _obstructed(self, seen: ObservedLink) -> SettleFailed | FailStep:
        """Linked, and yet no caller reaches it, or nobody's to link: told at once, and looked at again like a failure.

        Where no request asks and all of it has been told, only the next look is written down; so it is where somebody
        else's mark is seen for the first time, as the save by which the agent left that assistant may be on its way.
        """
        situation, assistant = self.situation, self.assistant
        code = OF_ANOTHER_CODE if seen.another else seen.obstacles[0].code
        linked = () if seen.another else seen.tools
        look_at = situation.now + situation.policy.look_again
        told = (assistant.failed, assistant.code, ids_of(assistant.synced))
        failure = situation.state.failures.get(self.subject)
        seen_before = failure is not None and (failure.code, failure.assistant_id) == (code, assistant.assistant_id)
        may_have_left = seen.another and not seen_before
        if not self.requests and (may_have_left or told == (True, code, ids_of(linked))):
            return FailStep(self.subject, None, "refused", code, look_at, assistant_id=assistant.assistant_id)
        codes = {name: obstacle.code for obstacle in reversed(seen.obstacles) for name in obstacle.tools}
        cause = None if self.requests else situation.state.org_wide_cause or CAUSE_DRIFT
        return self._failing(linked, code, seen.through, look_at, codes, cause)

    def _gone(self) -> SettleFailed:
        """Somebody deleted an assistant at Vapi whose newest outcome still says that its callers reach its tools."""
        codes = {tool.name: MISSING_CODE for tool in self.situation.wanted.tools}
        return self._failing((), MISSING_CODE, 0, None, codes, CAUSE_DRIFT)

    def _differs(self, target: Tools) -> bool:
        """Whether the newest outcome said something else than that callers reach exactly these tools."""
        assistant = self.assistant
        told = not assistant.failed and ids_of(assistant.synced) == ids_of(target)
        return not told or (not target and assistant.code != self.situation.wanted.none_wanted)

    def _given_up(self, code: str, target: Tools) -> SettleFailed | datetime | None:
        """A failing outcome once the oldest request has waited too long; until then, the time when that will be."""
        if not self.requests:
            return None
        # From the oldest request: further saves must not put off what its sender is told.
        situation = self.situation
        patience = situation.policy.diverged_give_up if code == OUTDATED_CODE else situation.policy.give_up
        ends = patience_ends(self.requests[0].recorded_at, patience, situation.pauses)
        return ends if ends > situation.now else self.failed(target, code, look=True)

    def failed(self, target: Tools, code: str, *, look: bool) -> SettleFailed | None:
        """The failing outcome of the open requests, of which ``target`` is linked; None where nothing is open."""
        if not self.requests:
            return None
        look_at = self.situation.now + self.situation.policy.look_again if look else None
        return self._failing(target, code, self.requests[-1].position, look_at)

    def _failing(
        self,
        tools: Tools,
        code: str,
        through: int,
        look_at: datetime | None,
        codes: Mapping[str, str] = NO_CODES,
        cause: str | None = None,
    ) -> SettleFailed:
        """``codes``: of tools that are linked and all the same not reached, and where another code than theirs is."""
        state, linked = self.situation.state, {ref.name for ref in tools}
        return SettleFailed(
            agent_id=self.assistant.agent_id,
            assistant_id=self.assistant.assistant_id,
            revision=self._revision,
            account=self.situation.account,
            tools=tools,
            failed_tools=tuple(
                ToolFailure(tool.name, codes.get(tool.name) or _tool_code(state, tool, code))
                for tool in self.situation.wanted.tools
                if tool.name in codes or tool.name not in linked
            ),
            code=code,
            through=through,
            look_at=look_at,
            cause=cause,
        )

    @property
    def _revision(self) -> int:
        """The newest revision that an outcome speaks of: that of its newest request, else what is known."""
        asked = self.requests[-1].asked if self.requests else None
        return asked.revision if isinstance(asked, SyncRequested) else self.assistant.revision


def _ids_to_unlink(situation: Situation) -> frozenset[str]:
    """The ids of ours that no assistant should link, whether this one is known to link them or not."""
    state = situation.state
    # Not retired yet: that is when the last assistant has lost it, and a save may have put it back meanwhile.
    leaving = (ref.vapi_tool_id for name, ref in state.tools.items() if name in situation.wanted.unwanted)
    return ids_to_unlink(state).union(leaving)


def _tool_code(state: Toolset, tool: WantedTool, default: str) -> str:
    failure = state.failures.get(tool_subject(tool.name))
    return failure.code if failure else default

"""What is due now, and when to look again: ``next_steps(state, …, now) -> Plan``.

    every wanted tool      registered, or updated where its definition changed; each stands alone
    every lost answer      looked up once it can no longer land (the settle time)
    every assistant        linked once no tool step is due or under way, then settled by an outcome
                           (with work)
    every unwanted tool    retired once no assistant is left that should lose it, deleted after the grace
    every surplus tool     deleted when it is old enough (see sweep)

Nothing here waits: what is not due yet becomes ``Plan.next_due``, and the org is released until then.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from tool_sync.domain.commands import (
    Command,
    FailStep,
    ForgetTool,
    ReinstateTool,
    RetireTool,
    SettleFailed,
    SettleOrg,
    SettleSynced,
)
from tool_sync.domain.events import RetireReason, SyncRequested, ToolFailure, ToolRef
from tool_sync.domain.pauses import Pause, patience_ends
from tool_sync.domain.reach import OF_ANOTHER_CODE, Obstacle
from tool_sync.domain.retry import retry_at
from tool_sync.domain.subject import Subject, agent_subject, is_tool, tool_subject
from tool_sync.domain.sweep import SearchSurplus, SweepTools, sweep_steps
from tool_sync.domain.toolset import OUTDATED_CODE, UNREADABLE, Assistant, Attempt, Failure, Request, Toolset
from tool_sync.domain.wanted import WantedTool

REMOVED_CODE: Final = "TS-402"
CLOSED_CODE: Final = "TS-403"
UNREADABLE_CODE: Final = "TS-401"
NOT_YET_CODE: Final = "TS-104"
"""For a tool whose answer is still unknown when its save is given up."""

CAUSE_RECOVERED: Final = "recovered"
CAUSE_DRIFT: Final = "drift"
CAUSE_BULK: Final = "auto_sync"


@dataclass(frozen=True, slots=True)
class Policy:
    """How long things may take; the reasons are in the settings."""

    settle: timedelta
    give_up: timedelta
    look_again: timedelta
    diverged_look: timedelta
    diverged_give_up: timedelta
    retry_seconds_base: float
    retry_seconds_max: float
    tool_grace: timedelta = timedelta(hours=24)
    surplus_age: timedelta = timedelta(hours=1)
    sweep_every: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RegisterTool:
    """``POST /tool``."""

    tool: WantedTool

    @property
    def subject(self) -> Subject:
        return tool_subject(self.tool.name)


@dataclass(frozen=True, slots=True)
class UpdateTool:
    """``PATCH /tool``: the definition changed."""

    tool: WantedTool
    current: ToolRef

    @property
    def subject(self) -> Subject:
        return tool_subject(self.tool.name)


@dataclass(frozen=True, slots=True)
class ResolveAttempt:
    """Look what became of a write whose answer was lost."""

    attempt: Attempt

    @property
    def subject(self) -> Subject:
        return self.attempt.subject


@dataclass(frozen=True, slots=True)
class LinkAssistant:
    """Read the assistant, link ``target`` where it is not linked, and remember that it was seen so."""

    assistant: Assistant
    target: tuple[ToolRef, ...]
    through: int
    unwanted: frozenset[str] = frozenset()
    """Ids of ours that no assistant may keep, whoever put them there."""

    @property
    def subject(self) -> Subject:
        return agent_subject(self.assistant.agent_id)


Step = RegisterTool | UpdateTool | ResolveAttempt | LinkAssistant | SweepTools | SearchSurplus


@dataclass(frozen=True, slots=True)
class Seen:
    """In this run the assistant was looked at, after everything up to ``through`` had been loaded.

    ``tools`` are those that it was to have. It has them, unless it is ``another`` clinic's and nothing was linked.
    ``obstacles`` are what stands between its callers and them.
    """

    tools: tuple[ToolRef, ...]
    through: int
    obstacles: tuple[Obstacle, ...] = ()
    another: bool = False


@dataclass(frozen=True, slots=True)
class OrgWide:
    """What this run found when it looked through the org, for a change that concerns all of it.

    ``agents`` are a page of the assistants whose newest outcome named other tools than ``target``, without those that
    this run has taken up already. ``has_assistants``: the org has an assistant at all.
    """

    target: tuple[ToolRef, ...]
    agents: frozenset[str]
    has_assistants: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """What this run knows beyond the log: assistants seen linked, subjects at work, and org-wide work found."""

    seen: Mapping[str, Seen] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()
    org_wide: OrgWide | None = None
    page: tuple[str, ...] | None = None
    """The assistants with work that the run looks at for now; None: all. A plan's cost is that of its page."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Effects to start, decisions to write down, and when to look again (None: when something arrives)."""

    steps: tuple[Step, ...] = ()
    commands: tuple[Command, ...] = ()
    next_due: datetime | None = None
    look_org_wide: bool = False
    """The run should look through the org for assistants that are not as wanted, and ask again."""


def retry_time(state: Toolset, subject: str, now: datetime, jitter: float, policy: Policy) -> datetime:
    """When a retryable failure of ``subject`` is tried again: back-off while somebody waits, then every look."""
    if not state.open_requests and state.org_wide_through is None:
        return now + policy.look_again
    failure = state.failures.get(subject)
    return retry_at(
        now,
        (failure.count if failure else 0) + 1,
        jitter,
        seconds_base=policy.retry_seconds_base,
        seconds_max=policy.retry_seconds_max,
    )


def next_steps(
    state: Toolset,
    assistants: Mapping[str, Assistant],
    wanted: tuple[WantedTool, ...],
    now: datetime,
    policy: Policy,
    progress: Progress,
    account: str,
    unwanted: Mapping[str, RetireReason] = MappingProxyType({}),
    pauses: Sequence[Pause] = (),
    none_wanted: str | None = None,
) -> Plan:
    """What to do next for one org. ``assistants`` holds the rows of those with work (see :func:`agents_with_work`).

    ``unwanted`` are the tools of this release that the org should not have; one that is neither wanted nor unwanted
    is left alone, as a newer release made it. ``pauses`` are those of the key, which try nobody's patience.
    ``none_wanted`` is the code that says why, where ``wanted`` is empty.
    """
    if not has_work(state):
        return Plan()
    due = _Due(now)
    commands: list[Command] = list(_unreadable(state, account))
    if state.closed:
        return _closing(state, commands, policy, progress, account, due)
    if state.org_wide_through is not None and progress.org_wide is None:
        return Plan(commands=tuple(commands), look_org_wide=not commands)
    view = _View(state, wanted, now, policy, progress, account, due, pauses, unwanted, none_wanted)
    # Before any tool step, so that nothing is made at Vapi for who is gone.
    commands += view.removed(assistants)
    commands += _vanished(state, account)
    if commands:
        return Plan(commands=tuple(commands))
    wants_tools = _wants_tools(state, progress, due)
    if wants_tools and (commands := list(_reinstatements(state, wanted, account))):
        return Plan(commands=tuple(commands))
    steps: list[Step] = list(_lost_answers(state, policy, progress, due))
    if wants_tools:
        steps += _tool_steps(state, wanted, progress, due)
    in_motion = {step.subject for step in steps} | progress.busy
    if not any(map(is_tool, in_motion)):
        for agent_id in agents_of(state, now, progress):
            assistant = assistants.get(agent_id)
            if assistant is not None and agent_subject(agent_id) not in in_motion:
                step, command = view.assistant(assistant)
                steps += [step] if step else []
                commands += [command] if command else []
    look = False
    idle = not (steps or commands or progress.busy)
    if state.org_wide_through is not None and progress.org_wide is not None:
        complete = _looked_through(state, wanted, progress.org_wide)
        if idle and complete and _nothing_open(state, wanted, progress.org_wide):
            reasons = unwanted if progress.org_wide.has_assistants else _all(state, "unused")
            commands += _retirements(state, reasons, now + policy.tool_grace, account)
            commands.append(SettleOrg(state.org_wide_through))
        # Else this page is done, or what is left of it waits for a time of its own; or a tool has come meanwhile.
        look = idle and not complete
    if idle and not look and not commands:
        steps += sweep_steps(state, policy.sweep_every, policy.surplus_age, due.later)
    return Plan(tuple(steps), tuple(commands), due.earliest, look)


def is_save(state: Toolset) -> bool:
    """Whether somebody waits for this org who pressed save; everything else is bulk work."""
    requests = (request.asked for mine in state.open_requests.values() for request in mine)
    return any(not isinstance(asked, SyncRequested) or asked.cause != CAUSE_BULK for asked in requests)


def has_work(state: Toolset) -> bool:
    """Whether anything is open, now or at a later time."""
    asked = state.open_requests or state.attempts or state.looks or state.org_wide_through
    return bool(asked or state.retired or state.surplus or state.suspects or (state.closed and state.tools))


def _closing(
    state: Toolset, commands: list[Command], policy: Policy, progress: Progress, account: str, due: "_Due"
) -> Plan:
    """An org that is closed: its requests end at once, its tools after the grace. Its assistants are not ours."""
    commands += _all_closed(state, account)
    commands += _retirements(state, _all(state, "closed"), due.now + policy.tool_grace, account)
    if state.org_wide_through is not None:
        commands.append(SettleOrg(state.org_wide_through))
    if commands:
        return Plan(commands=tuple(commands))
    steps: list[Step] = list(_lost_answers(state, policy, progress, due))
    if not (steps or progress.busy):
        steps += sweep_steps(state, policy.sweep_every, policy.surplus_age, due.later)
    return Plan(tuple(steps), (), due.earliest)


def _all(state: Toolset, reason: RetireReason) -> Mapping[str, RetireReason]:
    return dict.fromkeys(state.tools, reason)


def _retirements(
    state: Toolset, reasons: Mapping[str, RetireReason], delete_at: datetime, account: str
) -> Iterable[RetireTool]:
    open_subjects = {attempt.subject for attempt in state.attempts.values()}
    for name, ref in state.tools.items():
        if name in reasons and tool_subject(name) not in open_subjects:
            yield RetireTool(account, ref, reasons[name], delete_at)


def _reinstatements(state: Toolset, wanted: Iterable[WantedTool], account: str) -> Iterable[ReinstateTool]:
    """Retired tools that are wanted again. While a deletion has no answer it is waited for."""
    if not state.retired:
        return
    open_subjects = {attempt.subject for attempt in state.attempts.values()}
    for tool in wanted:
        retired = state.retired.get(tool.name)
        if retired is not None and not retired.doomed and tool_subject(tool.name) not in open_subjects:
            yield ReinstateTool(account, retired.ref)


def _vanished(state: Toolset, account: str) -> Iterable[ForgetTool]:
    """Tools that somebody deleted at Vapi: every assistant that names one fails its next call."""
    for name, seen in state.drifted.items():
        ref = state.tools.get(name)
        if seen.gone and ref is not None and ref.vapi_tool_id == seen.vapi_tool_id:
            yield ForgetTool(account, ref)


def _looked_through(state: Toolset, wanted: Iterable[WantedTool], found: OrgWide) -> bool:
    """Whether the run has taken up every assistant that lacks something, with the tools as they are now."""
    return not found.has_assistants or (found.target == target_of(state, wanted) and not found.agents)


def _nothing_open(state: Toolset, wanted: Iterable[WantedTool], found: OrgWide) -> bool:
    """Whether nothing is left that only this org-wide change keeps in mind: a tool to come, or a lost answer."""
    return not state.attempts and (not found.has_assistants or all(_is_done(state, tool) for tool in wanted))


def target_of(state: Toolset, wanted: Iterable[WantedTool]) -> tuple[ToolRef, ...]:
    """The tools that every assistant of the org should have now: the wanted ones that are registered."""
    return tuple(state.tools[tool.name] for tool in wanted if tool.name in state.tools)


def agents_of(state: Toolset, now: datetime, progress: Progress) -> tuple[str, ...]:
    """The assistants that a plan looks at: the page, or all with work; then those found for an org-wide change."""
    page = agents_with_work(state, now) if progress.page is None else progress.page
    found = sorted(progress.org_wide.agents) if progress.org_wide else ()
    return tuple(dict.fromkeys((*page, *found)))


def agents_with_work(state: Toolset, now: datetime) -> tuple[str, ...]:
    """Assistants with an open request, in the order of arrival, then those to look at again."""
    asked = dict.fromkeys(agent_id for agent_id in state.open_requests if agent_id != UNREADABLE)
    looks = dict.fromkeys(agent_id for agent_id, at in state.looks.items() if at <= now)
    return tuple({**asked, **looks})


class _Due:
    """The earliest time, after now, at which something becomes due."""

    __slots__ = ("earliest", "now")

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.earliest: datetime | None = None

    def later(self, at: datetime) -> bool:
        """True, and remembered, where ``at`` is still to come."""
        if at <= self.now:
            return False
        self.earliest = at if self.earliest is None else min(self.earliest, at)
        return True


def _wants_tools(state: Toolset, progress: Progress, due: _Due) -> bool:
    """Whether anybody waits for the org's tools: a save, an assistant to look at again, or a change to all of it."""
    looking = [at for at in state.looks.values() if not due.later(at)]
    org_wide = state.org_wide_through is not None and progress.org_wide is not None and progress.org_wide.has_assistants
    return bool(looking) or org_wide or any(agent_id != UNREADABLE for agent_id in state.open_requests)


def _unreadable(state: Toolset, account: str) -> Iterable[Command]:
    if unreadable := state.open_requests.get(UNREADABLE):
        yield SettleFailed(None, None, None, account, (), (), UNREADABLE_CODE, unreadable[-1].position, None)


def _all_closed(state: Toolset, account: str) -> Iterable[Command]:
    for agent_id, requests in state.open_requests.items():
        asked = requests[-1].asked
        if isinstance(asked, SyncRequested):
            yield SettleFailed(
                agent_id, asked.assistant_id, asked.revision, account, (), (), CLOSED_CODE, requests[-1].position, None
            )


def _lost_answers(state: Toolset, policy: Policy, progress: Progress, due: _Due) -> Iterable[ResolveAttempt]:
    for attempt in state.attempts.values():
        if attempt.subject in progress.busy:
            continue
        failure = state.failures.get(attempt.subject)
        at = attempt.started_at + policy.settle
        if failure is not None and failure.retry_at is not None:
            at = max(at, failure.retry_at)
        if not due.later(at):
            yield ResolveAttempt(attempt)


def _tool_steps(
    state: Toolset, wanted: Iterable[WantedTool], progress: Progress, due: _Due
) -> Iterable[RegisterTool | UpdateTool]:
    open_subjects = {attempt.subject for attempt in state.attempts.values()}
    for tool in wanted:
        subject = tool_subject(tool.name)
        current = state.tools.get(tool.name)
        if _is_as_wanted(state, tool) or subject in progress.busy or subject in open_subjects:
            continue
        if tool.name in state.retired and not state.retired[tool.name].doomed:
            continue  # it is reinstated first
        failure = state.failures.get(subject)
        if failure is not None:
            if _is_permanent(failure, tool):
                continue
            if failure.retry_at is not None and due.later(failure.retry_at):
                continue
        yield RegisterTool(tool) if current is None else UpdateTool(tool, current)


def is_current(current: ToolRef | None, tool: WantedTool) -> bool:
    """True where the org's tool is as wanted, or newer than this release knows: a tool is never downgraded."""
    if current is None:
        return False
    return current.definition_hash == tool.definition_hash or current.definition_version > tool.definition_version


def _is_as_wanted(state: Toolset, tool: WantedTool) -> bool:
    """True where the org's tool is current and nobody is known to have changed it at Vapi."""
    current, seen = state.tools.get(tool.name), state.drifted.get(tool.name)
    drifted = current is not None and seen is not None and seen.vapi_tool_id == current.vapi_tool_id
    return is_current(current, tool) and not drifted


def _is_done(state: Toolset, tool: WantedTool) -> bool:
    """Registered as wanted, or refused for good: nothing about it will change by waiting."""
    failure = state.failures.get(tool_subject(tool.name))
    return _is_as_wanted(state, tool) or (failure is not None and _is_permanent(failure, tool))


def _is_permanent(failure: Failure, tool: WantedTool) -> bool:
    """Refused for good: asking again with the same definition would only be refused again."""
    return failure.retry_at is None and failure.definition_hash == tool.definition_hash


@dataclass(frozen=True, slots=True)
class _View:
    """Everything that the plan for one assistant depends on."""

    state: Toolset
    wanted: tuple[WantedTool, ...]
    now: datetime
    policy: Policy
    progress: Progress
    account: str
    due: _Due
    pauses: Sequence[Pause] = ()
    unwanted: Collection[str] = ()
    none_wanted: str | None = None

    def removed(self, assistants: Mapping[str, Assistant]) -> Iterable[Command]:
        """What ends the requests of assistants that were deleted, and the looks at them."""
        for agent_id in agents_of(self.state, self.now, self.progress):
            assistant = assistants.get(agent_id)
            if assistant is None or not assistant.removed:
                continue
            requests = self.state.open_requests.get(agent_id, ())
            if failed := self._failed(assistant, requests, (), REMOVED_CODE, look=False):
                yield failed
            elif agent_id in self.state.looks:
                yield FailStep(agent_subject(agent_id), None, "refused", REMOVED_CODE, None)

    def _unwanted(self) -> frozenset[str]:
        """The ids of ours that no assistant should link, whether this one is known to link them or not."""
        retired = (retired.ref.vapi_tool_id for retired in self.state.retired.values())
        # Not retired yet: that is when the last assistant has lost it, and a save may have put it back meanwhile.
        leaving = (ref.vapi_tool_id for name, ref in self.state.tools.items() if name in self.unwanted)
        return frozenset((*retired, *leaving, *self.state.surplus, *self.state.gone))

    def assistant(self, assistant: Assistant) -> tuple[Step | None, Command | None]:
        """The next step for one assistant, or the decision that ends its requests, or neither (it waits)."""
        requests = self.state.open_requests.get(assistant.agent_id, ())
        if assistant.removed:
            return None, None
        subject = agent_subject(assistant.agent_id)
        if any(attempt.subject == subject for attempt in self.state.attempts.values()):
            return None, self._given_up(assistant, requests, NOT_YET_CODE)
        failure = self.state.failures.get(subject)
        if failure is not None and failure.retry_at is None:
            return None, self._failed(assistant, requests, (), failure.code, look=False)
        if failure is not None and failure.retry_at is not None and failure.retry_at > self.now:
            given_up = self._given_up(assistant, requests, failure.code)
            if given_up is None:
                self.due.later(failure.retry_at)
            return None, given_up
        target = target_of(self.state, self.wanted)
        look_at = self.state.looks.get(assistant.agent_id)
        if not requests and look_at is None and not self._differs(assistant, target):
            return None, None  # taken up for an org-wide change, and told about it
        looked = assistant.agent_id in self.progress.seen
        if not requests and looked and look_at is not None and self.due.later(look_at):
            return None, None  # this run has looked, and said when to look again
        seen = self.progress.seen.get(assistant.agent_id)
        through = requests[-1].position if requests else 0
        if seen is None or seen.tools != target or seen.through < through:
            return LinkAssistant(assistant, target, through, self._unwanted()), None
        return None, self._settle(assistant, requests, target, seen)

    def _settle(
        self, assistant: Assistant, requests: tuple[Request, ...], target: tuple[ToolRef, ...], seen: Seen
    ) -> Command | None:
        if seen.obstacles or seen.another:
            return self._obstructed(assistant, requests, target, seen)
        lacking = [t for t in self.wanted if not _is_as_wanted(self.state, t)]
        if not lacking:
            return SettleSynced(
                agent_id=assistant.agent_id,
                assistant_id=assistant.assistant_id,
                revision=_revision(assistant, requests),
                account=self.account,
                tools=target,
                through=seen.through,
                changed=self._differs(assistant, target),
                cause=CAUSE_RECOVERED if assistant.failed else self.state.org_wide_cause or CAUSE_RECOVERED,
                reason=self.none_wanted,
            )
        failures = {t.name: self.state.failures.get(tool_subject(t.name)) for t in lacking}
        final = [t for t in lacking if (f := failures[t.name]) is not None and _is_permanent(f, t)]
        if len(final) == len(lacking):
            return self._failed(assistant, requests, target, self._code(lacking), look=False)
        return self._given_up(assistant, requests, self._code(lacking), target)

    def _obstructed(
        self, assistant: Assistant, requests: tuple[Request, ...], target: tuple[ToolRef, ...], seen: Seen
    ) -> Command | None:
        """Linked, and yet no caller reaches it, or nobody's to link: told at once, and looked at again like a failure.

        Where no request asks and all of it has been told, only the next look is written down.
        """
        code = OF_ANOTHER_CODE if seen.another else seen.obstacles[0].code
        linked = () if seen.another else target
        look_at = self.now + self.policy.look_again
        if not requests and (assistant.failed, assistant.code, assistant.synced) == (True, code, linked):
            return FailStep(agent_subject(assistant.agent_id), None, "refused", code, look_at)
        codes = {name: obstacle.code for obstacle in reversed(seen.obstacles) for name in obstacle.tools}
        kept = {ref.name for ref in linked}
        return SettleFailed(
            agent_id=assistant.agent_id,
            assistant_id=assistant.assistant_id,
            revision=_revision(assistant, requests),
            account=self.account,
            tools=linked,
            failed_tools=tuple(
                ToolFailure(tool.name, codes.get(tool.name) or self._tool_code(tool, code))
                for tool in self.wanted
                if tool.name in codes or tool.name not in kept
            ),
            code=code,
            through=seen.through,
            look_at=look_at,
            cause=None if requests else self.state.org_wide_cause or CAUSE_DRIFT,
        )

    def _differs(self, assistant: Assistant, target: tuple[ToolRef, ...]) -> bool:
        """Whether the newest outcome said something else than that callers reach exactly these tools."""
        return assistant.failed or assistant.synced != target or (not target and assistant.code != self.none_wanted)

    def _code(self, lacking: list[WantedTool]) -> str:
        failure = self.state.failures.get(tool_subject(lacking[0].name))
        return failure.code if failure else NOT_YET_CODE

    def _given_up(
        self, assistant: Assistant, requests: tuple[Request, ...], code: str, target: tuple[ToolRef, ...] | None = None
    ) -> Command | None:
        """A failing outcome once the oldest request has waited too long; until then its time is a due time."""
        if not requests:
            return None
        patience = self.policy.diverged_give_up if code == OUTDATED_CODE else self.policy.give_up
        if self.due.later(patience_ends(requests[0].recorded_at, patience, self.pauses)):
            return None
        return self._failed(assistant, requests, assistant.linked if target is None else target, code, look=True)

    def _failed(
        self, assistant: Assistant, requests: tuple[Request, ...], target: tuple[ToolRef, ...], code: str, *, look: bool
    ) -> SettleFailed | None:
        if not requests:
            return None
        linked = {ref.name for ref in target}
        return SettleFailed(
            agent_id=assistant.agent_id,
            assistant_id=assistant.assistant_id,
            revision=_revision(assistant, requests),
            account=self.account,
            tools=target,
            failed_tools=tuple(
                ToolFailure(tool.name, self._tool_code(tool, code)) for tool in self.wanted if tool.name not in linked
            ),
            code=code,
            through=requests[-1].position,
            look_at=self.now + self.policy.look_again if look else None,
        )

    def _tool_code(self, tool: WantedTool, default: str) -> str:
        failure = self.state.failures.get(tool_subject(tool.name))
        return failure.code if failure else default


def _revision(assistant: Assistant, requests: tuple[Request, ...]) -> int:
    """The newest revision that an outcome speaks of: that of its newest request, else what is known."""
    asked = requests[-1].asked if requests else None
    return asked.revision if isinstance(asked, SyncRequested) else assistant.revision

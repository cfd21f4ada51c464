"""One run of one org: load, plan, perform, append, repeat until nothing is due. Nobody sleeps here.

What arrives meanwhile is not looked at: the position that was loaded is left behind with the lease, and an org with
something above it is claimed once more. So any number of saves during a run become one more run.
"""

import asyncio
from collections import ChainMap, Counter
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context as TaskContext
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final

from opentelemetry.trace import StatusCode

from tool_sync import telemetry
from tool_sync.domain.assistants import evolve_assistant
from tool_sync.domain.commands import Command
from tool_sync.domain.events import AssistantSynced, AssistantSyncFailed, SyncRequested, ToolsetEvent
from tool_sync.domain.pauses import brought_forward
from tool_sync.domain.plan import next_steps
from tool_sync.domain.plan.assistants import agents_of, agents_with_work
from tool_sync.domain.plan.situation import ObservedLink, OrgWide, Progress, Situation
from tool_sync.domain.plan.steps import LinkAssistant, Plan, Step
from tool_sync.domain.plan.tools import target_of
from tool_sync.domain.toolset import Assistant, Toolset
from tool_sync.domain.wanted import leaving, wanted_of
from tool_sync.sync.asking import KeyHeld
from tool_sync.sync.context import Context
from tool_sync.sync.effects import perform
from tool_sync.sync.effects.adopt import lost_surplus
from tool_sync.sync.leases import Claim, Release
from tool_sync.sync.load import Loaded
from tool_sync.sync.traces import note_outcome, other_traces, start_span
from tool_sync.sync.write_guard import WriteGuard
from tool_sync.sync.writer import Writer

PAGE_AGENTS: Final = 32
"""Assistants with work that are looked at together: what a plan costs does not grow with what is open in the org."""
ORG_WIDE_PAGE: Final = 100
"""Assistants that are taken up at a time for a change that concerns the whole org."""
TIMES_MAX: Final = 50
"""Steps on one subject in one run, or reads of the state in a row; a run that means well needs a handful."""

StepResult = tuple[ObservedLink | None, tuple[Command, ...]]


class NoHeadway(Exception):
    """The same step again and again: a fault of ours, which must not fill the log, nor use up the key."""


class Run:
    """The work on one claimed org. ``holds_lease`` is asked before every write to Vapi."""

    def __init__(
        self,
        context: Context,
        claim: Claim,
        loaded: Loaded,
        assistants: dict[str, Assistant],
        holds_lease: Callable[[], bool],
    ) -> None:
        self._context = context
        self._claim = claim
        self._assistants: dict[str, Assistant] = {}
        self._is_behind = self._is_lost_noted = False
        self._holds_lease = holds_lease
        self._times: Counter[str] = Counter()
        self._progress = Progress()
        self._taken_up: set[str] = set()
        self._looked_at: set[str] = set()
        self._next_due: datetime | None = None
        self._held_until: datetime | None = None
        self._span = start_span(context, claim.org_id, loaded.state)
        self._traces = other_traces(loaded.state, self._span) if context.telemetry.enabled else {}
        self._writer = Writer(
            context,
            claim,
            loaded,
            follow_up=self._follow_up,
            on_written=self._learn,
            on_reloaded=self._look_anew,
            traceparent=telemetry.traceparent_of(self._span),
        )
        self._guard = WriteGuard(context, self._writer, holds_lease)
        self._turn_page()
        self._take_in(assistants)

    @property
    def in_span(self) -> TaskContext:
        """The context to execute in: the run's span is the current one."""
        return telemetry.context_of(self._span)

    async def execute(self) -> Release:
        """Do everything that is due; returns what to leave behind with the lease."""
        tasks: dict[asyncio.Task[StepResult], Step] = {}
        try:
            while True:
                plan = await self._plan()
                steps = self._startable(plan, len(tasks))
                self._count(steps)
                if len(steps) == 1 and not tasks:  # mostly; then a task of its own would only cost
                    await self._finish([(steps[0], await self._perform(steps[0]))])
                    continue
                busy = frozenset(step.subject for step in (*tasks.values(), *steps))
                if busy != self._progress.busy:
                    self._progress = replace(self._progress, busy=busy)
                tasks |= {asyncio.create_task(self._perform(step)): step for step in steps}
                if tasks:
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    ended = [task for task in tasks if task in done]  # a set has no order that a seed could repeat
                    await self._finish([(tasks.pop(task), task.result()) for task in ended])
                    continue
                self._next_due = _earlier(self._next_due, plan.next_due)
                if not self._holds_lease():
                    # Nothing was started any more, so what was loaded has not been looked at: others must.
                    return Release(self._claim, 0, self._context.clock.now())
                if not self._turn_page():
                    return self._left_behind()
        except BaseException as error:
            self._span.set_status(StatusCode.ERROR, type(error).__name__)
            for task in tasks:
                task.cancel()
            raise
        finally:
            self._span.end()

    async def _perform(self, step: Step) -> StepResult:
        """A step, unless the key allows nothing: then it stays due, and this run starts no other before that time."""
        try:
            return await perform(self._guard, self._claim.org_id, step)
        except KeyHeld as held:
            if self._held_until is None or held.until > self._held_until:
                self._held_until = held.until
            return None, ()

    def _left_behind(self) -> Release:
        """An org that the key holds up has no other due time: until then there is nothing that it could do."""
        state = self._writer.state
        put_off = bool(state.looks) or any(failure.retry_at is not None for failure in state.failures.values())
        key = self._context.key.fingerprint if self._is_held() or put_off else None
        # Also where that time has come meanwhile: what was not started for it is still to be done.
        next_due = self._next_due if self._held_until is None else self._held_until
        return Release(self._claim, self._writer.loaded_through, next_due, waits_for_key=key)

    def _is_held(self) -> bool:
        return self._held_until is not None and self._held_until > self._context.clock.now()

    def _forward(self, state: Toolset) -> Toolset:
        return brought_forward(state, self._context.key.known.lifted_at, self._context.policy.look_again)

    async def _plan(self) -> Plan:
        """What to do next. Decisions that follow from the state alone are written first."""
        reloads = 0
        while True:
            if self._is_behind:
                reloads += 1
                if reloads > TIMES_MAX:
                    raise NoHeadway(f"the state stays behind its assistants after {TIMES_MAX} reads")
                await self._writer.reload()
            if self._writer.state.closed and not self._is_lost_noted:
                await self._note_lost(has_assistants=False)
                self._is_lost_noted = True
            plan = self._next(self._writer.state, self._assistants)
            if plan.commands:
                await self._writer.write(plan.commands)
            elif plan.look_org_wide:
                await self._look_org_wide()
            elif missing := self._unknown_agents():
                found = await self._context.store.assistants([(self._claim.org_id, agent) for agent in missing])
                self._take_in(found.get(self._claim.org_id, {}))
                assert not self._unknown_agents(), "every request has a row in assistants: one append writes both"
            else:
                return plan

    def _next(self, state: Toolset, assistants: Mapping[str, Assistant]) -> Plan:
        return next_steps(
            Situation(
                self._forward(state),
                assistants,
                wanted_of(state, self._context.blueprint.tools),
                self._context.clock.now(),
                self._context.policy,
                self._progress,
                self._context.vapi.account,
                self._context.key.known.pauses,
            )
        )

    def _follow_up(self, state: Toolset, events: Sequence[ToolsetEvent]) -> Sequence[Command]:
        """The decisions that follow at once from a state: they go into the same append as what led there."""
        return self._next(state, ChainMap(_evolved(self._assistants, events), self._assistants)).commands

    def _unknown_agents(self) -> list[str]:
        due = agents_of(self._forward(self._writer.state), self._context.clock.now(), self._progress)
        return [agent_id for agent_id in due if agent_id not in self._assistants]

    def _take_in(self, rows: Mapping[str, Assistant]) -> None:
        """Rows are read after the state. One that names another assistant than the newest save in the state is of a
        save that has arrived between the two: what comes of that assistant would be taken for another's."""
        self._assistants.update(rows)
        for agent_id, row in rows.items():
            requests = self._writer.state.open_requests.get(agent_id)
            newest = requests[-1].asked if requests else None
            if isinstance(newest, SyncRequested) and newest.assistant_id != row.assistant_id:
                self._is_behind = True

    def _look_anew(self) -> None:
        """The state was read again, as somebody else has written: what this run has seen may be otherwise by now."""
        self._is_behind = False
        self._assistants.clear()
        self._looked_at.clear()
        self._taken_up.clear()
        self._progress = Progress(busy=self._progress.busy, page=self._progress.page)
        if self._context.telemetry.enabled:
            self._traces = other_traces(self._writer.state, self._span)

    def _turn_page(self) -> bool:
        """Go on to the next assistants with work; False where this run has looked at all of them."""
        due = agents_with_work(self._forward(self._writer.state), self._context.clock.now())
        page = tuple(islice((agent_id for agent_id in due if agent_id not in self._looked_at), PAGE_AGENTS))
        self._looked_at.update(page)
        self._progress = replace(self._progress, page=page, seen={})
        for agent_id in self._assistants.keys() - set(page):
            del self._assistants[agent_id]
        return bool(page)

    def _startable(self, plan: Plan, at_work: int) -> Sequence[Step]:
        """The steps that there is room for; none where somebody else may have the org by now."""
        room = self._context.limits.steps_per_org_max - at_work
        return plan.steps[: max(room, 0)] if self._holds_lease() and not self._is_held() else ()

    def _count(self, steps: Sequence[Step]) -> None:
        self._times.update(step.subject for step in steps)
        for step in steps:
            if self._times[step.subject] > TIMES_MAX:
                raise NoHeadway(f"{step.subject}: {TIMES_MAX} steps in one run")

    async def _finish(self, done: Sequence[tuple[Step, StepResult]]) -> None:
        """Write down everything that has arrived, together with what follows from it."""
        seen = {
            step.assistant.agent_id: found
            for step, (found, _) in done
            if found is not None and isinstance(step, LinkAssistant)
        }
        if seen or self._progress.busy:
            busy = self._progress.busy.difference(step.subject for step, _ in done)
            self._progress = replace(self._progress, seen={**self._progress.seen, **seen}, busy=busy)
        commands = [command for _, (_, commands) in done for command in commands]
        if commands or seen:
            await self._writer.write(commands, follow=bool(seen))

    def _learn(self, events: Sequence[ToolsetEvent]) -> None:
        self._assistants.update(_evolved(self._assistants, events))
        for event in events:
            if isinstance(event, AssistantSynced | AssistantSyncFailed):
                note_outcome(self._span, event)
                self._end_traces(event)
            if isinstance(event, AssistantSynced) and event.requests:
                self._context.on_settled(self._claim.org_id)

    def _end_traces(self, event: AssistantSynced | AssistantSyncFailed) -> None:
        """Each settled save whose trace is another than the run's ends there, in a span that links to the run."""
        if not self._traces:
            return
        for request in event.requests:
            if traceparent := self._traces.pop(request.request_id, None):
                span = self._context.telemetry.start(
                    telemetry.SETTLED_SPAN,
                    traceparent=traceparent,
                    linked=[telemetry.traceparent_of(self._span)],
                    attributes={telemetry.ORG_ID: str(self._claim.org_id)},
                )
                note_outcome(span, event)
                span.end()

    async def _look_org_wide(self) -> None:
        """Find the next page of assistants that are not as wanted, other than those that this run took up already."""
        state, before = self._writer.state, self._progress.org_wide
        wanted = wanted_of(state, self._context.blueprint.tools)
        target = target_of(state, wanted.tools)
        if before is not None and before.target != target:
            self._taken_up.clear()
        elif before is not None:
            self._taken_up |= before.agents
        found, has_assistants = await self._context.store.not_as_wanted(
            self._claim.org_id, target, self._taken_up, ORG_WIDE_PAGE, wanted.none_wanted
        )
        await self._note_lost(has_assistants=has_assistants)
        self._take_in({agent_id: row for agent_id, row in found.items() if agent_id not in self._assistants})
        self._progress = replace(self._progress, org_wide=OrgWide(target, frozenset(found), has_assistants))

    async def _note_lost(self, *, has_assistants: bool) -> None:
        """After a restore: Vapi may have tools that the org is not to have, and that the log does not know."""
        state, blueprint = self._writer.state, self._context.blueprint.tools
        wanted = wanted_of(state, blueprint)
        names = leaving(state, wanted, (tool.name for tool in blueprint), has_assistants=has_assistants)
        if commands := await lost_surplus(self._context, self._writer.state, self._claim.org_id, names):
            await self._writer.write(commands)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return other if one is None else one if other is None else min(one, other)


def _evolved(assistants: Mapping[str, Assistant], events: Sequence[ToolsetEvent]) -> dict[str, Assistant]:
    """The rows that these events change."""
    changed: dict[str, Assistant] = {}
    for event in events:
        agent_id = getattr(event, "agent_id", None)
        if agent_id is not None and (row := changed.get(agent_id) or assistants.get(agent_id)) is not None:
            changed[agent_id] = evolve_assistant(row, event)
    return changed

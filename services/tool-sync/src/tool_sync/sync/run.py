"""One run of one org: load, plan, perform, append, repeat until nothing is due. Nobody sleeps here.

What arrives meanwhile is not looked at: the position that was loaded is left behind with the lease, and an org with
something above it is claimed once more. So any number of saves during a run become one more run, and a run that has
only bulk work left ends soon, so that a save of its org does not wait for thousands of other assistants.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import Context as TaskContext
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from opentelemetry.trace import StatusCode

from tool_sync.domain.commands import Command
from tool_sync.domain.events import ToolRetired
from tool_sync.domain.plan.due import earlier
from tool_sync.domain.plan.situation import ObservedLink, OrgWide
from tool_sync.domain.plan.steps import Lane, LinkAssistant, Plan, RegisterTool, Step, UpdateTool
from tool_sync.domain.plan.tools import target_of
from tool_sync.domain.toolset import Assistant
from tool_sync.domain.wanted import leaving
from tool_sync.sync.asking import KeyHeld, Turn
from tool_sync.sync.context import Context
from tool_sync.sync.effects import perform
from tool_sync.sync.effects.adopt import lost_surplus, unknown_names
from tool_sync.sync.knowledge import Knowledge
from tool_sync.sync.leases import Claim, Release
from tool_sync.sync.load import LoadedOrg
from tool_sync.sync.lost_tools import Listed
from tool_sync.sync.opening import tell_opened
from tool_sync.sync.read_ahead import ReadAhead
from tool_sync.sync.traces import RunTraces
from tool_sync.sync.write_guard import WriteGuard
from tool_sync.sync.writer import Writer
from tool_sync.vapi.failures import VapiFailure
from zerotouch_platform.telemetry import context_of

ORG_WIDE_PAGE: Final = 100
"""Assistants that are taken up at a time for a change that concerns the whole org."""
BULK_SECONDS_MAX: Final = 0.5
"""For so long a run begins bulk steps; then it is claimed anew, behind the saves of all orgs."""
BULK_STEPS_MIN: Final = 4
"""So many bulk steps a run begins however long they take: a tool more for a clinic of few assistants is one run. To be
claimed and read again costs as much as such a step does, and a save of the clinic waits for these few calls only."""
SHORT_HOLD_SECONDS: Final = 5.0
"""A key that allows bulk work again so soon is only paced: nothing else of the org is looked through meanwhile."""
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
        loaded: LoadedOrg,
        assistants: Mapping[str, Assistant],
        holds_lease: Callable[[], bool],
    ) -> None:
        self._context = context
        self._claim = claim
        self._holds_lease = holds_lease
        self._is_lost_noted = False
        self._is_lost_looked_for = False
        self._is_opening_told = False
        self._times: Counter[str] = Counter()
        self._next_due: datetime | None = None
        self._held: dict[Lane, datetime] = {}
        self._bulk_ends: float | None = None
        self._bulk_begun = 0
        self._traces = RunTraces(context, claim.org_id, loaded.state)
        self._knowledge = Knowledge(context, claim.org_id, loaded)
        self._writer = Writer(context, claim, self._knowledge, self._traces)
        self._guard = WriteGuard(context, self._writer, holds_lease, Turn("bulk"))
        self._ahead = ReadAhead(self._guard)
        self._knowledge.turn_page()
        self._knowledge.take_in(assistants)

    @property
    def in_span(self) -> TaskContext:
        """The context to execute in: the run's span is the current one."""
        return context_of(self._traces.span)

    async def execute(self) -> Release:
        """Do everything that is due; returns what to leave behind with the lease."""
        tasks: dict[asyncio.Task[StepResult], Step] = {}
        try:
            while True:
                plan = await self._plan()
                steps = self._startable(plan, len(tasks))
                self._count(steps)
                self._ahead.start(plan.ahead[: self._context.limits.steps_per_org_max] if steps else ())
                if len(steps) == 1 and not tasks:  # mostly; then a task of its own would only cost
                    await self._finish([(steps[0], await self._perform(steps[0]))])
                    continue
                self._knowledge.at_work(frozenset(step.subject for step in (*tasks.values(), *steps)))
                tasks |= {asyncio.create_task(self._perform(step)): step for step in steps}
                if tasks:
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    ended = [task for task in tasks if task in done]  # a set has no order that a seed could repeat
                    await self._finish([(tasks.pop(task), task.result()) for task in ended])
                    continue
                await self._ahead.ended()
                self._next_due = earlier(self._next_due, plan.next_due)
                if not self._holds_lease():
                    # Nothing was started any more, so what was loaded has not been looked at: others must.
                    return Release(self._claim, 0, self._context.clock.now())
                if self._is_bulk_put_off() or not self._knowledge.turn_page():
                    return self._left_behind()
        except BaseException as error:
            self._traces.span.set_status(StatusCode.ERROR, type(error).__name__)
            for task in tasks:
                task.cancel()
            self._ahead.cancel()
            raise
        finally:
            self._traces.span.end()

    async def _perform(self, step: Step) -> StepResult:
        """A step, unless the key allows nothing: then it stays due, and this run starts no other of its lane before
        that time."""
        try:
            return await perform(self._guard.in_lane(step.lane), self._ahead, self._claim.org_id, step)
        except KeyHeld as held:
            self._held[step.lane] = max(held.until, self._held.get(step.lane, held.until))
            return None, ()

    def _left_behind(self) -> Release:
        """An org that the key holds up has no other due time: until then there is nothing that it could do."""
        state = self._knowledge.state
        put_off = bool(state.looks) or any(failure.retry_at is not None for failure in state.failures.values())
        key = self._context.key.fingerprint if put_off or any(map(self._is_held, self._held)) else None
        # Also where that time has come meanwhile: what was not started for it is still to be done. What holds up saves
        # holds up everything; what holds up bulk work alone leaves a save its own due time.
        next_due = self._held.get("save") or earlier(self._next_due, self._held.get("bulk"))
        return Release(self._claim, self._knowledge.loaded_through, next_due, waits_for_key=key)

    def _is_held(self, lane: Lane) -> bool:
        return lane in self._held and self._held[lane] > self._context.clock.now()

    def _is_bulk_put_off(self) -> bool:
        """Whether bulk work is left that can go on soon. The pages that follow have no saves, as those come first."""
        soon = self._context.clock.now() + timedelta(seconds=SHORT_HOLD_SECONDS)
        return "bulk" in self._held and self._held["bulk"] < soon and not self._is_held("save")

    async def _plan(self) -> Plan:
        """What to do next. Decisions that follow from the state alone are written first."""
        known, reloads = self._knowledge, 0
        while True:
            if known.is_behind:
                reloads += 1
                if reloads > TIMES_MAX:
                    raise NoHeadway(f"the state stays behind its assistants after {TIMES_MAX} reads")
                await self._writer.reload()
            # Before the plan: once its tools are retired and nothing is open, a closed org is never looked at again.
            if known.state.closed and not self._is_lost_noted:
                await self._note_lost(has_assistants=False)
                self._is_lost_noted = True
            if not self._is_lost_looked_for:
                self._is_lost_looked_for = True
                await self._look_for_lost()
            if known.state.window is not None and not self._is_opening_told:
                self._is_opening_told = True
                if await tell_opened(self._context, self._claim.org_id, known.state, known.wanted):
                    await self._writer.reload()
            plan = known.plan()
            if known.is_old and _decides_about_tools(plan):
                await self._writer.reload()
            elif plan.commands:
                await self._writer.write(plan.commands)
            elif plan.look_org_wide:
                await self._look_org_wide()
            elif missing := known.unknown_agents():
                found = await self._context.store.assistants([(self._claim.org_id, agent) for agent in missing])
                known.take_in(found.get(self._claim.org_id, {}))
                assert not known.unknown_agents(), "every request has a row in assistants: one append writes both"
            else:
                return plan

    def _startable(self, plan: Plan, at_work: int) -> Sequence[Step]:
        """The steps that there is room for; none where somebody else may have the org by now."""
        # Not enforced here but at the guard: this only spares what would come back unsent.
        room = max(self._context.limits.steps_per_org_max - at_work, 0)
        if not room or not self._holds_lease() or self._is_held("save"):
            return ()
        steps = [step for step in plan.steps if not self._is_held(step.lane)]
        bulk = [step for step in steps if step.lane == "bulk"]
        if bulk and self._is_bulk_over(self._bulk_begun + len(bulk)):
            # What was begun goes on, as a step that changes nothing must be noticed before the org is claimed anew.
            steps = [step for step in steps if step.lane == "save" or self._times[step.subject]]
            self._held["bulk"] = self._context.clock.now()
        self._bulk_begun += sum(step.lane == "bulk" for step in steps[:room])
        return steps[:room]

    def _is_bulk_over(self, steps: int) -> bool:
        """Whether a run that has begun so many bulk steps, those that are due among them, leaves these to the next."""
        monotonic = self._context.clock.monotonic()
        if self._bulk_ends is None:
            self._bulk_ends = monotonic + BULK_SECONDS_MAX
        return steps > BULK_STEPS_MIN and monotonic >= self._bulk_ends

    def _count(self, steps: Sequence[Step]) -> None:
        self._times.update(step.subject for step in steps)
        for step in steps:
            # A step that changes nothing is planned again at once, for ever: better an alarm than a full log.
            if self._times[step.subject] > TIMES_MAX:
                raise NoHeadway(f"{step.subject}: {TIMES_MAX} steps in one run")

    async def _finish(self, done: Sequence[tuple[Step, StepResult]]) -> None:
        """Write down everything that has arrived, together with what follows from it."""
        seen = {
            step.assistant.agent_id: found
            for step, (found, _) in done
            if found is not None and isinstance(step, LinkAssistant)
        }
        self._knowledge.observed(seen, [step.subject for step, _ in done])
        commands = [command for _, (_, commands) in done for command in commands]
        if commands or seen:
            await self._writer.write(commands, follow=bool(seen))

    async def _look_org_wide(self) -> None:
        """Find the next page of assistants that are not as wanted, other than those that this run took up already."""
        state, wanted = self._knowledge.state, self._knowledge.wanted
        target = target_of(state, wanted.tools)
        found, has_assistants = await self._context.store.not_as_wanted(
            self._claim.org_id, target, self._knowledge.passed_over(), ORG_WIDE_PAGE, wanted.none_wanted
        )
        await self._note_lost(has_assistants=has_assistants)
        is_last = len(found) < ORG_WIDE_PAGE
        self._knowledge.looked_org_wide(OrgWide(target, frozenset(found), has_assistants, is_last), found)

    async def _look_for_lost(self) -> None:
        """After a restore: look for what the org is not to have, once the topic has had time to be read again.

        Its order was lost with the log: no event says that the org as a whole is to be looked at.
        """
        state, wanted, context = self._knowledge.state, self._knowledge.wanted, self._context
        listed = await context.store.listed_tools(context.vapi.account, self._claim.org_id)
        if listed is None or not unknown_names(listed, state):
            return
        if (due := listed.at + context.policy.surplus_age) > context.clock.now():
            self._next_due = earlier(self._next_due, due)
            return
        target = target_of(state, wanted.tools)
        _, has_assistants = await context.store.not_as_wanted(self._claim.org_id, target, (), 1, wanted.none_wanted)
        await self._note_lost(has_assistants=has_assistants, beside=await self._beside(listed))

    async def _beside(self, listed: Listed) -> list[str]:
        """The names of which the org has another tool than those that were listed, and that one is there: made twice
        after the backup, by a worker that slept. Where it is gone, one of these is to take its place."""
        found, context = [], self._context
        for name in unknown_names(listed, self._knowledge.state):
            if (ours := self._knowledge.state.tools.get(name)) is None:
                continue
            try:
                await self._guard.look(partial(context.vapi.get_tool, ours.vapi_tool_id))
                found.append(name)
            except KeyHeld as held:
                self._next_due = earlier(self._next_due, held.until)
            except VapiFailure:
                self._next_due = earlier(self._next_due, context.clock.now() + context.policy.look_again)
        return found

    async def _note_lost(self, *, has_assistants: bool, beside: Collection[str] = ()) -> None:
        """After a restore: Vapi may have tools that the org is not to have, and that the log does not know; also those
        ``beside`` what it has."""
        state, names = self._knowledge.state, self._knowledge.fleet.names
        going = leaving(state, self._knowledge.wanted, names, has_assistants=has_assistants)
        if commands := await lost_surplus(self._context, state, self._claim.org_id, {*going, *beside}):
            await self._writer.write(commands)


def _decides_about_tools(plan: Plan) -> bool:
    """Whether orders decide what is planned."""
    steps = any(isinstance(step, RegisterTool | UpdateTool) for step in plan.steps)
    return steps or any(isinstance(command, ToolRetired) for command in plan.commands)

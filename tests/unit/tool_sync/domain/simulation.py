"""An org over a Vapi that may do anything, without a database: what the reconciler does with the domain, step by step.

Every choice is drawn from outside, so that hypothesis finds, repeats and shortens a story.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from tool_sync.domain.assistants import evolve_assistant
from tool_sync.domain.commands import Command, ConfirmDeleted, ConfirmLinked, ConfirmTool, FailStep, NoteDiverged
from tool_sync.domain.decider import decide
from tool_sync.domain.events import (
    AssistantDiverged,
    AssistantLinkStarted,
    AssistantRemoved,
    AssistantSynced,
    AssistantSyncFailed,
    DriftDetected,
    Event,
    OrgClosed,
    OrgEvent,
    SurplusDeleteStarted,
    SurplusFound,
    SurplusSearched,
    SweepStarted,
    SyncRequested,
    ToolDeleteStarted,
    ToolRegistrationStarted,
    ToolsetEvent,
    ToolUpdateStarted,
    ToolVanished,
)
from tool_sync.domain.evolve import evolve
from tool_sync.domain.plan import next_steps
from tool_sync.domain.plan.due import retry_time
from tool_sync.domain.plan.situation import ObservedLink, OrgWide, RunProgress, Situation
from tool_sync.domain.plan.steps import (
    DeletionCandidate,
    LinkAssistant,
    Plan,
    RegisterTool,
    ResolveAttempt,
    SearchSurplus,
    Step,
    SweepTools,
    UpdateTool,
)
from tool_sync.domain.plan.tools import target_of
from tool_sync.domain.toolset import OUTDATED_CODE, Assistant, Recorded, Toolset
from tool_sync.domain.wanted import Wanted, WantedTool, unwanted_for, wanted_for

from .builders import ACCOUNT, POLICY, T0, linking, registering, uid, updating

Choose = Callable[[Sequence[str]], str]
PLANS_PER_RUN_MAX = 200

ENDS = {
    RegisterTool: ("done", "refused", "limited", "unknown", "not sent", "died"),
    UpdateTool: ("done", "refused", "limited", "unknown", "not sent", "died", "gone"),
    ResolveAttempt: ("done", "absent", "not read"),
    LinkAssistant: ("done", "was linked", "not read", "gone", "unknown", "outdated", "drifted", "died"),
    SweepTools: ("done", "not read", "pinned", "unknown", "unknown and done", "not sent", "died", "died and done"),
    SearchSurplus: ("done", "found", "not read"),
}


class Org:
    """One org's log, folded as it grows, and the run that works on it."""

    def __init__(self, blueprint: tuple[WantedTool, ...], choose: Choose) -> None:
        self.blueprint, self.choose = blueprint, choose
        self.state, self.now = Toolset(), T0
        self.rows: dict[str, Assistant] = {}
        self.log: list[Event] = []
        self.due: datetime | None = None
        self.ids = 1000
        self.progress = RunProgress()
        self.taken_up: set[str] = set()
        self.at_vapi: set[str] = set()  # ids of tools
        self.links: dict[str, set[str]] = {}  # by agent

    def arrive(self, event: OrgEvent) -> None:
        """Something arrives from outside; the projection of assistants is folded as its SQL does."""
        self._record(event)
        if isinstance(event, SyncRequested):
            row = self.rows.get(event.agent_id) or Assistant(event.agent_id, event.assistant_id, event.revision)
            saved = (*row.saved, (event.revision, event.model_hash))[-8:]
            self.rows[event.agent_id] = replace(row, revision=event.revision, saved=saved)
        elif isinstance(event, AssistantRemoved) and event.agent_id in self.rows:
            self.rows[event.agent_id] = replace(self.rows[event.agent_id], removed=True)
            self.links.pop(event.agent_id, None)
        elif isinstance(event, OrgClosed):
            self.links.clear()  # assistant-api deletes the assistants

    def run(self) -> None:
        """One run: plan, write, perform, until nothing is due or the process dies."""
        self.progress, self.taken_up = RunProgress(), set()
        for _ in range(PLANS_PER_RUN_MAX):
            plan = self._plan()
            self._check(plan)
            if plan.commands:
                self.write(plan.commands)
            elif plan.look_org_wide:
                self._look_org_wide()
            elif not plan.steps:
                self.due = plan.next_due
                return
            elif not self._perform(plan.steps):
                self.due = self.now  # the lease runs out, and somebody else begins anew
                return
        raise AssertionError(f"a run did not end within {PLANS_PER_RUN_MAX} plans: {self.log[-5:]}")

    def write(self, commands: Sequence[Command]) -> tuple[ToolsetEvent, ...]:
        """Decide and record."""
        written: list[ToolsetEvent] = []
        for command in commands:
            for event in decide(self.state, command):
                self._record(event)
                self._learn(event)
                written.append(event)
        return tuple(written)

    def outcomes(self) -> list[AssistantSynced | AssistantSyncFailed]:
        return [e for e in self.log if isinstance(e, AssistantSynced | AssistantSyncFailed)]

    def settled(self) -> list[UUID]:
        """The request ids that outcomes named, in the order of the log."""
        return [request.request_id for outcome in self.outcomes() for request in outcome.requests]

    def published(self) -> list[int]:
        """The numbers of the published events, in the order of the log."""
        numbered = [e for e in self.log if isinstance(e, AssistantSynced | AssistantSyncFailed | AssistantDiverged)]
        return [e.sequence for e in numbered if e.sequence is not None]

    def _wanted(self) -> tuple[WantedTool, ...]:
        return wanted_for(self.state.tier, self.blueprint, self.state.disabled)

    def _plan(self) -> Plan:
        unwanted = unwanted_for(self.state.tier, self.blueprint, self.state.disabled)
        wanted = Wanted(self._wanted(), unwanted)
        return next_steps(Situation(self.state, self.rows, wanted, self.now, POLICY, self.progress, ACCOUNT))

    def _check(self, plan: Plan) -> None:
        open_subjects = {attempt.subject for attempt in self.state.attempts.values()}
        subjects = [step.subject for step in plan.steps]
        assert len(subjects) == len(set(subjects)), "two steps of one subject"
        for step in plan.steps:
            assert isinstance(step, ResolveAttempt) or step.subject not in open_subjects, "an attempt is open"
            assert step.subject not in self.progress.busy
        deletes = [step for step in plan.steps if isinstance(step, SweepTools)]
        assert not deletes or (len(plan.steps) <= 2 and not self.state.attempts), "a sweep beside other work"
        if plan.steps or plan.commands or plan.look_org_wide or self.progress.busy:
            return
        waits = bool(self.state.requests or self.state.attempts or self.state.org_wide_through)
        waits = waits or bool(self.state.retired or self.state.suspects)
        waits = waits or any(at > self.now for at in self.state.looks.values())
        assert not waits or plan.next_due is not None, "something waits, and nobody will look"
        assert plan.next_due is None or plan.next_due > self.now

    def _perform(self, steps: Sequence[Step]) -> bool:
        """Perform side by side: all are at work while the first ones end. False where the process died."""
        self.progress = replace(self.progress, busy=frozenset(step.subject for step in steps))
        for step in steps:
            end = self.choose(ENDS[type(step)])
            alive = self._end(step, end)
            self.progress = replace(self.progress, busy=self.progress.busy - {step.subject})
            if not alive:
                return False
            self._check(self._plan())
        return True

    def _end(self, step: Step, end: str) -> bool:
        match step:
            case RegisterTool(tool=tool):
                started: ToolRegistrationStarted | ToolUpdateStarted = registering(self._id(), tool)
            case UpdateTool(tool=tool, current=current):
                started = updating(self._id(), tool, current.vapi_tool_id)
            case ResolveAttempt():
                self._resolve(step, end)
                return True
            case LinkAssistant():
                return self._link(step, end)
            case SweepTools():
                return self._sweep(step, end)
            case SearchSurplus():
                self._search(step, end)
                return True
        if not self.write((started,)):
            return True
        if end == "died":
            return False
        attempt, again = started.attempt_id, retry_time(self.state, step.subject, self.now, 0.5, POLICY)
        vapi_id = f"t-{self._id()}" if isinstance(started, ToolRegistrationStarted) else started.vapi_tool_id
        code = tool.definition_hash
        commands: dict[str, tuple[Command, ...]] = {
            "done": (ConfirmTool(attempt, vapi_id, "answer", adopted=False),),
            "refused": (FailStep(step.subject, attempt, "refused", "TS-301", None, code),),
            "limited": (FailStep(step.subject, attempt, "refused", "TS-103", again, code),),
            "not sent": (FailStep(step.subject, attempt, "not_sent", "TS-107", again, code),),
            "unknown": (FailStep(step.subject, attempt, "unknown", "TS-104", self.now + POLICY.settle, code),),
        }
        if end == "gone" and isinstance(step, UpdateTool):
            self.write((FailStep(step.subject, attempt, "refused", "TS-301", None, code),))
            self.write((ToolVanished(ACCOUNT, *step.current.fields),))
            self.at_vapi.discard(step.current.vapi_tool_id)
        else:
            self.at_vapi |= {vapi_id} if end == "done" else set()
            self.write(commands[end])
        return True

    def _sweep(self, step: SweepTools, end: str) -> bool:
        if not self.write((SweepStarted(tuple(tool.vapi_tool_id for tool in step.tools)),)):
            return True
        if end == "not read":
            self.write((FailStep(step.subject, None, "refused", "TS-102", self._again(step)),))
            return True
        for tool in step.tools:
            if any(tool.vapi_tool_id in linked for linked in self.links.values()):
                self.write((FailStep(tool.subject, None, "refused", "TS-306", self.now + POLICY.sweep_every),))
            elif not self._delete(tool, end):
                return False
        return True

    def _delete(self, tool: DeletionCandidate, end: str) -> bool:
        attempt = uid(self._id())
        started: ToolDeleteStarted | SurplusDeleteStarted
        if tool.delete_at is None:
            started = SurplusDeleteStarted(attempt, ACCOUNT, tool.name, tool.vapi_tool_id)
        else:
            started = ToolDeleteStarted(attempt, ACCOUNT, tool.name, tool.vapi_tool_id, tool.delete_at)
        if not self.write((started,)):
            return True
        assert tool.vapi_tool_id not in {ref.vapi_tool_id for ref in self.state.tools.values()}, "the org's own tool"
        again = self.now + POLICY.look_again
        if "done" in end:
            self.at_vapi.discard(tool.vapi_tool_id)
        if end.startswith("died"):
            return False
        if end == "done":
            self.write((ConfirmDeleted(attempt),))
        elif end.startswith("unknown"):
            self.write((FailStep(tool.subject, attempt, "unknown", "TS-104", self.now + POLICY.settle),))
        else:
            self.write(
                (FailStep(tool.subject, attempt, "refused" if end == "pinned" else "not_sent", "TS-306", again),)
            )
        return True

    def _search(self, step: SearchSurplus, end: str) -> None:
        if end == "not read":
            self.write((FailStep(step.subject, None, "refused", "TS-102", self._again(step)),))
            return
        found: tuple[Command, ...] = ()
        if end == "found":
            late = f"t-{self._id()}"
            self.at_vapi.add(late)
            found = (SurplusFound(ACCOUNT, step.names[0], late, self.now),)
        self.write((*found, SurplusSearched(step.names, step.through)))

    def _resolve(self, step: ResolveAttempt, end: str) -> None:
        started = step.attempt.started
        if end == "absent" and not isinstance(started, ToolDeleteStarted | SurplusDeleteStarted):
            self.write((FailStep(step.subject, started.attempt_id, "absent", "TS-104", self.now),))
        elif end == "not read":
            self.write((FailStep(step.subject, None, "refused", "TS-102", self._again(step)),))
        elif isinstance(started, ToolDeleteStarted | SurplusDeleteStarted):
            self._look_deleted(step, started)
        elif isinstance(started, AssistantLinkStarted):
            if not (self.rows[started.agent_id].removed or self.state.closed):
                self.links[started.agent_id] = {ref.vapi_tool_id for ref in started.tools}
            self.write((ConfirmLinked(started.attempt_id, "model", "answer"),))
        else:
            vapi_id = f"t-{self._id()}"
            self.at_vapi |= {vapi_id} if isinstance(started, ToolRegistrationStarted) else set()
            self.write((ConfirmTool(started.attempt_id, vapi_id, "answer", adopted=True),))

    def _look_deleted(self, step: ResolveAttempt, started: ToolDeleteStarted | SurplusDeleteStarted) -> None:
        if started.vapi_tool_id in self.at_vapi:
            self.write((FailStep(step.subject, started.attempt_id, "absent", "TS-104", self.now),))
        else:
            self.write((ConfirmDeleted(started.attempt_id),))

    def _link(self, step: LinkAssistant, end: str) -> bool:
        agent_id, assistant = step.assistant.agent_id, step.assistant
        if end == "not read":
            self.write((FailStep(step.subject, None, "refused", "TS-102", self._again(step)),))
            return True
        if end == "gone":
            self.links.pop(agent_id, None)
            self.write((FailStep(step.subject, None, "refused", "TS-303", None),))
            return True
        if end == "outdated":
            later = self.now + POLICY.diverged_look
            self.write((FailStep(step.subject, None, "refused", OUTDATED_CODE, later),))
            if assistant.diverged_revision != assistant.revision:
                self.write((NoteDiverged(agent_id, assistant.assistant_id, assistant.revision, "old"),))
            return True
        if end == "drifted":
            self.write((DriftDetected(agent_id, assistant.assistant_id, "foreign"),))
        if end != "was linked":
            started = linking(self._id(), agent_id, step.target)
            if not self.write((started,)):
                return True
            if end == "died":
                return False
            if end == "unknown":
                settled = self.now + POLICY.settle
                self.write((FailStep(step.subject, started.attempt_id, "unknown", "TS-104", settled),))
                return True
            self.write((ConfirmLinked(started.attempt_id, "model", "answer"),))
        self.links[agent_id] = {ref.vapi_tool_id for ref in step.target}
        self.progress = replace(
            self.progress, seen={**self.progress.seen, agent_id: ObservedLink(step.target, step.through)}
        )
        return True

    def _again(self, step: Step) -> datetime:
        return retry_time(self.state, step.subject, self.now, 0.5, POLICY)

    def _id(self) -> int:
        self.ids += 1
        return self.ids

    def _look_org_wide(self) -> None:
        """The next page, of one assistant, of those that are not as wanted and were not taken up in this run."""
        target, before = target_of(self.state, self._wanted()), self.progress.org_wide
        if before is not None and before.target != target:
            self.taken_up.clear()
        elif before is not None:
            self.taken_up |= before.agents
        differing = [a for a, row in self.rows.items() if not row.removed and row.synced != target]
        page = [agent_id for agent_id in sorted(differing) if agent_id not in self.taken_up][:1]
        has_assistants = any(not row.removed for row in self.rows.values())
        self.progress = replace(self.progress, org_wide=OrgWide(target, frozenset(page), has_assistants))

    def _learn(self, event: ToolsetEvent) -> None:
        agent_id = getattr(event, "agent_id", None)
        if agent_id in self.rows:
            self.rows[agent_id] = evolve_assistant(self.rows[agent_id], event)

    def _record(self, event: Event) -> None:
        self.now += timedelta(milliseconds=1)
        self.log.append(event)
        self.state = evolve(self.state, Recorded(self.state.position + 1, self.now, event))


def request(n: int, agent_id: str) -> SyncRequested:
    """Save ``n`` of an assistant."""
    return SyncRequested(uid(n), agent_id, f"vapi-{agent_id}", n, f"model-{n}", "save", None)

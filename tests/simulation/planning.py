"""What must hold of every plan that a run makes, whatever has arrived and whatever Vapi does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from unittest.mock import patch

from tool_sync.domain.plan import next_steps
from tool_sync.domain.plan.situation import Situation
from tool_sync.domain.plan.steps import Plan, ResolveAttempt, SweepTools
from tool_sync.domain.toolset import Toolset
from tool_sync.sync import knowledge


@contextmanager
def watched(violated: Callable[[str], None]) -> Iterator[None]:
    """Judge each plan of every worker in the moment in which it is made."""

    def judged(situation: Situation) -> Plan:
        plan = next_steps(situation)
        for what in broken(situation, plan):
            violated(f"a plan: {what}")
        return plan

    with patch.object(knowledge, "next_steps", judged):
        yield


def broken(situation: Situation, plan: Plan) -> Iterator[str]:
    """What a plan breaks, a sentence each."""
    state, busy = situation.state, situation.progress.busy
    attempted = {attempt.subject for attempt in state.attempts.values()}
    subjects = [step.subject for step in plan.steps]
    if len(subjects) != len(set(subjects)):
        yield f"two steps of one subject: {subjects}"
    for step in plan.steps:
        if step.subject in attempted and not isinstance(step, ResolveAttempt):
            yield f"{step.subject} is to be written, and the answer to its last write is not known"
        if step.subject in busy:
            yield f"{step.subject} is at work already"
    if any(isinstance(step, SweepTools) for step in plan.steps) and (len(plan.steps) > 2 or attempted):
        yield f"a sweep beside other work: {subjects}"
    is_idle = not (plan.steps or plan.commands or plan.look_org_wide or busy)
    if is_idle and plan.next_due is not None and plan.next_due <= situation.now:
        yield f"due at {plan.next_due}, which is past at {situation.now}"


def waits(state: Toolset, now: datetime) -> bool:
    """Whether something of an org is to be looked at later, as it is neither done nor given up."""
    return bool(
        state.requests or state.attempts or state.org_wide_through or state.retired or state.suspects
        or any(at > now for at in state.looks.values()) or (state.pins and not state.closed)
    )  # fmt: skip

"""Due times: what waits for one, and how those of a plan's parts become one.

A time that has come is no due time: what it was for is a step by now. So every part returns only times after ``now``.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from tool_sync.domain.events import ToolPinExpired
from tool_sync.domain.plan.situation import Policy, Situation
from tool_sync.domain.plan.steps import NOTHING, Plan, ResolveAttempt
from tool_sync.domain.subject import tool_subject
from tool_sync.domain.toolset import Toolset


def first_after(now: datetime, times: Iterable[datetime]) -> datetime | None:
    """The earliest of the times that are still to come."""
    return min((at for at in times if at > now), default=None)


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier of two due times; None is never."""
    return other if one is None else one if other is None else min(one, other)


def combined(one: Plan, other: Plan) -> Plan:
    """Both parts as one plan, in this order."""
    if one is NOTHING or other is NOTHING:
        return other if one is NOTHING else one
    due = earlier(one.next_due, other.next_due)
    return Plan((*one.steps, *other.steps), (*one.commands, *other.commands), due)


def retry_time(state: Toolset, subject: str, now: datetime, jitter: float, policy: Policy) -> datetime:
    """When a retryable failure of ``subject`` is tried again: back-off while somebody waits, then every look.

    For a tool that is updated in place an order waits, whoever else does.
    """
    is_in_place = any(subject == tool_subject(name) for name in state.tools)
    if not state.open_requests and state.org_wide_through is None and not is_in_place:
        return now + policy.look_again
    failure = state.failures.get(subject)
    return retry_at(
        now,
        (failure.count if failure else 0) + 1,
        jitter,
        seconds_base=policy.retry_seconds_base,
        seconds_max=policy.retry_seconds_max,
    )


def retry_at(now: datetime, failures: int, jitter: float, *, seconds_base: float, seconds_max: float) -> datetime:
    """The due time after the ``failures``-th failure in a row (1, 2, 3 …): exponential back-off with full jitter.

    The wait is drawn evenly from 0 to ``min(seconds_max, seconds_base * 2 ** (failures - 1))``, with ``jitter`` in
    [0, 1): many assistants that failed together come back spread over the whole of it.
    """
    ceiling = min(seconds_max, seconds_base * 2 ** min(failures - 1, 30))
    return now + timedelta(seconds=ceiling * jitter)


def expired_pins(situation: Situation) -> tuple[ToolPinExpired, ...]:
    """The ends of the pins whose time has come: events, as what a clinic should have follows from the log alone."""
    pins = situation.state.pins.items()
    return tuple(ToolPinExpired(name, pin.position) for name, pin in pins if pin.until <= situation.now)


def next_expiry(situation: Situation) -> datetime | None:
    """When the next pin has had its time."""
    return first_after(situation.now, (pin.until for pin in situation.state.pins.values()))


def lost_answers(situation: Situation) -> Plan:
    """Writes without an answer, each looked up once it can no longer land: an earlier look could miss it."""
    state, now = situation.state, situation.now
    waiting = [attempt for attempt in state.attempts.values() if attempt.subject not in situation.progress.busy]
    if not waiting:
        return NOTHING
    steps, later = [], []
    for attempt in waiting:
        failure = state.failures.get(attempt.subject)
        at = attempt.started_at + situation.policy.settle
        if failure is not None and failure.retry_at is not None:
            at = max(at, failure.retry_at)
        if at > now:
            later.append(at)
        else:
            steps.append(ResolveAttempt(attempt))
    return Plan(tuple(steps), next_due=min(later, default=None))

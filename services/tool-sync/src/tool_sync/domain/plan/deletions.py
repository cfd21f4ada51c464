"""When tools are deleted: retired ones after their grace, surplus ones when they are old enough.

Deletion is the only step that can break a call, so it is the last thing that a run does, it never runs beside another
write of its org, and it is preceded by a list of all assistants, at most one per org and ``sweep_every``.

    registration not found, closed as absent   suspect: searched for once it is ``surplus_age`` old
    found beside the org's tool                surplus: swept once it is ``surplus_age`` old
    not wanted any more                        retired: swept after the grace that its event names
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from tool_sync.domain.plan.due import first_after
from tool_sync.domain.plan.situation import Policy, Situation
from tool_sync.domain.plan.steps import NOTHING, DeletionCandidate, Plan, SearchSurplus, SweepTools
from tool_sync.domain.subject import SEARCH_SUBJECT, SWEEP_SUBJECT
from tool_sync.domain.toolset import Toolset

DELETIONS_PER_SWEEP_MAX: Final = 20


def deletions(situation: Situation) -> Plan:
    """The sweep and the search that are due, and when the next one is."""
    state, now = situation.state, situation.now
    if state.attempts or not (state.suspects or state.retired or state.surplus):
        return NOTHING  # attempts have due times of their own, and what comes of them may change what is wanted
    steps: list[SearchSurplus | SweepTools] = []
    searches = {name: _search_at(state, s.closed_at, situation.policy) for name, s in state.suspects.items()}
    if overdue := tuple(name for name, at in searches.items() if at <= now):
        suspects = [state.suspects[name] for name in overdue]
        steps.append(SearchSurplus(overdue, min(s.since for s in suspects), max(s.closed_at for s in suspects)))
    sweeps = list(_candidates(state, situation.policy))
    if ripe := tuple(tool for tool, at in sweeps if at <= now):
        steps.append(SweepTools(ripe[:DELETIONS_PER_SWEEP_MAX]))
    return Plan(tuple(steps), next_due=first_after(now, (*searches.values(), *(at for _, at in sweeps))))


def _search_at(state: Toolset, closed_at: datetime, policy: Policy) -> datetime:
    return _not_before_retry(state, SEARCH_SUBJECT, closed_at + policy.surplus_age)


def _candidates(state: Toolset, policy: Policy) -> Iterable[tuple[DeletionCandidate, datetime]]:
    """Every tool that is to go, with the time of the first sweep that may take it."""
    for name, retired in state.retired.items():
        tool = DeletionCandidate(name, retired.ref.vapi_tool_id, retired.delete_at)
        yield tool, _sweep_at(state, tool, retired.delete_at, policy.sweep_every)
    for tool_id, surplus in state.surplus.items():
        tool = DeletionCandidate(surplus.name, tool_id, None)
        yield tool, _sweep_at(state, tool, surplus.since + policy.surplus_age, policy.sweep_every)


def _sweep_at(state: Toolset, tool: DeletionCandidate, at: datetime, every: timedelta) -> datetime:
    at = _not_before_retry(state, tool.subject, _not_before_retry(state, SWEEP_SUBJECT, at))
    return at if state.swept_at is None else max(at, state.swept_at + every)


def _not_before_retry(state: Toolset, subject: str, at: datetime) -> datetime:
    failure = state.failures.get(subject)
    return at if failure is None or failure.retry_at is None else max(at, failure.retry_at)

"""When tools are deleted: retired ones after their grace, surplus ones when they are old enough. Pure.

Deletion is the only step that can break a call, so it is the last thing that a run does, it never runs beside another
write of its org, and it is preceded by a list of all assistants, at most one per org and ``every``.

    registration not found, closed as absent   suspect: searched for once it is ``surplus_age`` old
    found beside the org's tool                surplus: swept once it is ``surplus_age`` old
    not wanted any more                        retired: swept after the grace that its event names
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tool_sync.domain.subject import SEARCH_SUBJECT, SWEEP_SUBJECT, Subject, surplus_subject, tool_subject
from tool_sync.domain.toolset import Toolset

DELETIONS_PER_SWEEP_MAX = 20


@dataclass(frozen=True, slots=True)
class DeletionCandidate:
    """A tool to delete, if nobody links it. ``delete_at`` is the end of a retired tool's grace; None: surplus."""

    name: str
    vapi_tool_id: str
    delete_at: datetime | None

    @property
    def subject(self) -> Subject:
        return surplus_subject(self.vapi_tool_id) if self.delete_at is None else tool_subject(self.name)


@dataclass(frozen=True, slots=True)
class SweepTools:
    """List the assistants, then delete those of these tools that none of them links."""

    tools: tuple[DeletionCandidate, ...]

    @property
    def subject(self) -> Subject:
        return SWEEP_SUBJECT


@dataclass(frozen=True, slots=True)
class SearchSurplus:
    """List the tools made since ``since``, and note those with our marker that the log does not know."""

    names: tuple[str, ...]
    since: datetime
    through: datetime

    @property
    def subject(self) -> Subject:
        return SEARCH_SUBJECT


def sweep_steps(
    state: Toolset, every: timedelta, surplus_age: timedelta, later: Callable[[datetime], bool]
) -> Iterable[SweepTools | SearchSurplus]:
    """The deletions and the search that are due. ``later(at)`` is true, and remembers it, where ``at`` is to come."""
    if state.attempts:
        return  # they have due times of their own, and what comes of them may change what is wanted
    overdue = [
        name for name, s in state.suspects.items() if not later(_at(state, SEARCH_SUBJECT, s.closed_at, surplus_age))
    ]
    if overdue:
        suspects = [state.suspects[name] for name in overdue]
        yield SearchSurplus(tuple(overdue), min(s.since for s in suspects), max(s.closed_at for s in suspects))
    condemned = [tool for tool, at in _condemned(state, surplus_age) if not later(_not_before(state, tool, at, every))]
    if condemned:
        yield SweepTools(tuple(condemned[:DELETIONS_PER_SWEEP_MAX]))


def _condemned(state: Toolset, surplus_age: timedelta) -> Iterable[tuple[DeletionCandidate, datetime]]:
    for name, retired in state.retired.items():
        yield DeletionCandidate(name, retired.ref.vapi_tool_id, retired.delete_at), retired.delete_at
    for tool_id, surplus in state.surplus.items():
        yield DeletionCandidate(surplus.name, tool_id, None), surplus.since + surplus_age


def _not_before(state: Toolset, tool: DeletionCandidate, at: datetime, every: timedelta) -> datetime:
    at = max(_at(state, SWEEP_SUBJECT, at), _at(state, tool.subject, at))
    return at if state.swept_at is None else max(at, state.swept_at + every)


def _at(state: Toolset, subject: str, at: datetime, wait: timedelta = timedelta()) -> datetime:
    """``at`` and ``wait`` after it, or the due time that a failure left behind, whichever is later."""
    failure = state.failures.get(subject)
    retry_at = failure.retry_at if failure is not None else None
    return at + wait if retry_at is None else max(at + wait, retry_at)

"""Time in which the key was paused is nobody's: it makes no save fail, and its end makes due what waited for longer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tool_sync.domain.subject import agent_of, is_tool
from tool_sync.domain.toolset import OUTDATED_CODE, Failure, Toolset


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing was sent from ``since`` to ``until``."""

    since: datetime
    until: datetime


def patience_ends(start: datetime, patience: timedelta, pauses: Iterable[Pause]) -> datetime:
    """When ``patience`` has passed since ``start``, pauses not counted. They may overlap and may not be over yet."""
    ends, counted_through = start + patience, start
    for pause in sorted(pauses, key=lambda p: p.since):
        if pause.since >= ends:
            break
        since = max(pause.since, counted_through)
        if pause.until > since:
            ends += pause.until - since
            counted_through = pause.until
    return ends


def brought_forward(state: Toolset, lifted_at: datetime | None, look_again: timedelta) -> Toolset:
    """The state after the pause of a key ended: what was put off before that is due since then."""
    if lifted_at is None or not (state.looks or state.failures):
        return state
    looks = {
        agent_id: min(at, lifted_at) if at - look_again < lifted_at else at for agent_id, at in state.looks.items()
    }
    return replace(state, looks=looks, failures=_sooner(state.failures, lifted_at))


def _sooner(failures: Mapping[str, Failure], lifted_at: datetime) -> Mapping[str, Failure]:
    def put_off(subject: str, failure: Failure) -> bool:
        ours = (is_tool(subject) or agent_of(subject) is not None) and failure.code != OUTDATED_CODE
        noted = failure.at is not None and failure.at < lifted_at
        return ours and noted and failure.retry_at is not None and failure.retry_at > lifted_at

    return {
        subject: replace(failure, retry_at=lifted_at) if put_off(subject, failure) else failure
        for subject, failure in failures.items()
    }

"""A run as a drawing: what was said when, and from when to when a write to Vapi waited for its answer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tool_sync.queries.event_words import said
from tool_sync.queries.timeline import TimelineEntry

WIDTH: Final = 640
"""Of the drawing, in its own units; the time axis takes all of it."""
ROW_HEIGHT: Final = 34
BAR_WIDTH_MIN: Final = 3.0


@dataclass(frozen=True, slots=True)
class Span:
    """A line of the drawing. ``seconds`` null: it is a moment; ``is_open``: a write whose answer is not there yet."""

    says: str
    at: datetime
    offset_seconds: float
    seconds: float | None
    is_open: bool
    has_failed: bool
    x: float
    y: int
    width: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The drawing: its lines, how many seconds it is long, and its height."""

    bars: tuple[Span, ...]
    seconds: float
    height: int


def waterfall_of(events: Sequence[TimelineEntry], until: datetime) -> Waterfall | None:
    """The events of one trace, oldest first, as a drawing; ``until``: how long open writes wait so far.

    A write is one bar from its announcement to its answer: what else they would say is in the story.
    """
    if not events:
        return None
    begun = events[0].recorded_at
    writes = {_attempt(event) for event in events if event.type.endswith("Started")} - {None}
    answers = {_attempt(event): event for event in events if not event.type.endswith("Started")} | {None: None}
    lines = [
        (event, answers.get(_attempt(event)), _attempt(event) in writes)
        for event in events
        if event.type.endswith("Started") or _attempt(event) not in writes  # else the bar of its write ends with it
    ]
    is_waiting = any(is_write and answer is None for _, answer, is_write in lines)
    end = max(events[-1].recorded_at, until) if is_waiting else events[-1].recorded_at
    total = (end - begun).total_seconds()
    return Waterfall(
        tuple(_bar(line, n, begun, end, total) for n, line in enumerate(lines)), total, len(lines) * ROW_HEIGHT + 4
    )


def _attempt(event: TimelineEntry) -> str | None:
    return event.data.get("attempt_id")


def _bar(
    line: tuple[TimelineEntry, TimelineEntry | None, bool], number: int, begun: datetime, end: datetime, total: float
) -> Span:
    event, answer, is_write = line
    offset = (event.recorded_at - begun).total_seconds()
    seconds = ((answer.recorded_at if answer else end) - event.recorded_at).total_seconds() if is_write else None
    scale = (WIDTH - BAR_WIDTH_MIN) / total if total > 0 else 0.0
    failed = event if answer is None else answer
    return Span(
        said(event.type, event.data),
        event.recorded_at,
        offset,
        seconds,
        is_write and answer is None,
        failed.type in ("SyncAttemptFailed", "AssistantSyncFailed"),
        round(offset * scale, 1),
        number * ROW_HEIGHT,
        round(max(BAR_WIDTH_MIN, (seconds or 0.0) * scale), 1),
    )

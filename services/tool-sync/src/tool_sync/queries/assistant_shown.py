"""An assistant as a person looks at it: its sentence, what happened to it, its newest run, and the text of a ticket."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote
from uuid import UUID

from pydantic_core import to_json

from tool_sync.db import Connection
from tool_sync.queries.as_of import StateAsOf
from tool_sync.queries.can_book import Standing, standings
from tool_sync.queries.display_names import names_of
from tool_sync.queries.event_words import said
from tool_sync.queries.explain_assistant import AssistantExplained, explain_assistant
from tool_sync.queries.plain_words import named
from tool_sync.queries.timeline import TimelineEntry, next_of_agent, timeline_of_trace
from tool_sync.queries.tool_calls import OrgCalls, calls_of
from tool_sync.queries.waterfall import Waterfall, waterfall_of
from zerotouch_platform.times import utc
from zerotouch_platform.traces import trace_url

STORY_MAX: Final = 40
BARS_MAX: Final = 30
RAW_CHARACTERS_MAX: Final = 200
"""Of each event; the whole is one command away."""


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """An event of the story. ``raw`` is as stored, cut."""

    position: int
    at: datetime
    says: str
    type: str
    raw: str
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class AssistantShown:
    """Everything that is told of it on one page.

    ``standing`` null: there was no such assistant yet. ``trace_id``: of its newest run. ``calls`` null: a time in the
    past was asked for, or it is not at Vapi.
    """

    org_id: UUID
    agent_id: str
    name: str
    clinic: str
    explained: AssistantExplained
    standing: Standing | None
    calls: OrgCalls | None
    trace_id: str | None
    waterfall: Waterfall | None
    story: tuple[StoryEvent, ...]
    earlier: str | None
    later: str | None


async def assistant_shown(connection: Connection, moment: StateAsOf, agent_id: str) -> AssistantShown:
    """At that moment; the clinic must have it, or have had it."""
    org_id = moment.org_id
    explained = await explain_assistant(connection, moment, agent_id)
    names = await names_of(connection, [(org_id, None), (org_id, agent_id)])
    stand = await standings(connection, moment, [agent_id])
    is_called = moment.is_now and explained.assistant_id is not None
    calls = await calls_of(connection, org_id, explained.assistant_id) if is_called else None
    events = explained.events
    trace_id = next((event.trace_id for event in reversed(events) if event.trace_id and _is_own(event)), None)
    run: tuple[TimelineEntry, ...] = ()
    if trace_id is not None:
        first = next(event.position for event in events if event.trace_id == trace_id)
        run = await timeline_of_trace(connection, org_id, trace_id, first, moment.position)
    before = [event for event in events if event.recorded_at < events[-1].recorded_at]
    later = None if moment.is_now else await next_of_agent(connection, org_id, agent_id, moment.position)
    return AssistantShown(
        org_id,
        agent_id,
        names[org_id, agent_id],
        names[org_id, None],
        explained,
        stand[0] if stand else None,
        calls,
        trace_id,
        waterfall_of(run[:BARS_MAX], moment.asked_at),
        tuple(_line(event) for event in _merged(events, run)[-STORY_MAX:]),
        quote(before[-1].recorded_at.isoformat()) if before else None,
        quote(later.recorded_at.isoformat()) if later else None,
    )


def _is_own(event: TimelineEntry) -> bool:
    """Whether it is about this assistant alone, and not about all of its clinic."""
    return "agent_id" in event.data or str(event.data.get("subject", "")).startswith("agent:")


def _merged(events: tuple[TimelineEntry, ...], run: tuple[TimelineEntry, ...]) -> list[TimelineEntry]:
    """The assistant's own events and, of its newest run, those of the tools; newest last."""
    merged = {event.position: event for event in (*events, *run)}
    return [merged[position] for position in sorted(merged)]


def _line(event: TimelineEntry) -> StoryEvent:
    raw = to_json(event.data).decode()
    cut = raw if len(raw) <= RAW_CHARACTERS_MAX else f"{raw[:RAW_CHARACTERS_MAX]}…"
    return StoryEvent(event.position, event.recorded_at, said(event.type, event.data), event.type, cut, event.trace_id)


def ticket_of(found: AssistantShown, address: str, *, is_now: bool, for_platform: bool) -> Iterator[str]:
    """What goes into a ticket, line by line."""
    one, standing = found.explained, found.standing
    yield f"{found.name} of {found.clinic}: {standing.sentence if standing else 'was not known yet'}"
    yield f"as of      {utc(one.as_of) if not is_now else 'now'}, position {one.as_of_position}"
    yield f"clinic     {found.org_id}"
    yield f"agent      {found.agent_id}"
    yield f"assistant  {one.assistant_id or 'none yet'}"
    if standing and standing.code:
        yield f"code       {named(standing.code)}"
    if standing and standing.next:
        yield f"next       {standing.next}{f' ({standing.who_acts})' if standing.who_acts else ''}"
    if for_platform and one.outlook:
        yield f"outlook    {one.outlook.next}{f', {utc(one.outlook.at)}' if one.outlook.at else ''}"
    for request in one.open_requests[:5]:
        yield f"open save  {request.request_id}, revision {request.revision}, since {utc(request.since)}"
    if found.trace_id:
        link = f" {url}" if for_platform and (url := trace_url(found.trace_id)) else ""
        yield f"trace      {found.trace_id}{link}"
    yield f"page       {address}"

"""``tool-sync why`` and ``tool-sync explain``: reasons as text or as JSON."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.cli.exits import NotFound
from tool_sync.cli.org import event_lines
from tool_sync.cli.output import show, standing_lines, utc, with_more
from tool_sync.db import Connection
from tool_sync.domain.overlay import PartState
from tool_sync.queries.as_of import StateAsOf, fleet_of, state_as_of
from tool_sync.queries.assistant_shown import AssistantShown, assistant_shown
from tool_sync.queries.assistants import find_assistants
from tool_sync.queries.clinic_shown import AssistantsShown, assistants_of
from tool_sync.queries.explain_assistant import AssistantExplained
from tool_sync.queries.explain_tool import ToolExplained, explain_tool
from tool_sync.queries.tool_settings import said
from tool_sync.vapi.rate_limit import keys_holding
from zerotouch_contracts.errors import entry_of

STATES: Final[Mapping[PartState, str]] = {
    "in_use": "in use",
    "not_open": "not in use, as the clinic's version does not declare it open",
    "too_long": "not in use, as it is too long behind the version's description",
    "lost": "lost: its text is not stored any more; it has to be set again",
}
"""What becomes of a clinic's own words, for people."""


async def show_why(
    connection: Connection, org_id: UUID, tool: str, at: datetime | None, jaeger_url: str | None, *, as_json: bool
) -> None:
    """Print why an org has a tool or lacks it."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        moment = await _moment(connection, org_id, at)
        found = await explain_tool(connection, moment, tool)
        assistants = await assistants_of(connection, moment, "")
    document = with_more(found, assistants=[one for _, one in assistants.shown])
    show("why", document, _tool_lines(found, assistants, jaeger_url), as_json=as_json)


def _tool_lines(found: ToolExplained, assistants: AssistantsShown, jaeger_url: str | None) -> Iterator[str]:
    yield f"{found.tool} of {found.org_id}, as of position {found.as_of_position}, {utc(found.as_of)}"
    yield f"wanted      {'yes' if found.wanted else 'no'}: {found.rule}"
    yield from (f"            not {why}" for why in found.beaten)
    if found.setting is not None:
        yield f"setting     {said(found.setting)}"
    yield from (f"words       {one.part}: {STATES[one.state]}" for one in found.custom)
    yield f"condition   {found.condition}"
    if found.vapi_tool_id:
        yield f"at Vapi     {found.vapi_tool_id}, definition version {found.definition_version}"
    if found.retired:
        doomed = "; a deletion may still land, so this id is never linked again" if found.retired.doomed else ""
        yield f"retired     {found.retired.reason}; deleted after {utc(found.retired.delete_at)}{doomed}"
    for one in found.surplus:
        age = f"; its deletion has no answer since {one.unknown_seconds:.0f} s" if one.unknown_seconds else ""
        yield f"surplus     {one.vapi_tool_id}, since {utc(one.since)}{age}{_code(one.failure_code)}"
    yield from _still_open(found)
    for name, standing in assistants.shown:
        yield from standing_lines(standing, name)
    if assistants.next_after is not None:
        yield f"more assistants: tool-sync coverage {found.org_id}"
    yield from event_lines(found.events, jaeger_url)


async def show_explanation(
    connection: Connection,
    assistant: str,
    at: datetime | None = None,
    jaeger_url: str | None = None,
    org_id: UUID | None = None,
    *,
    as_json: bool,
) -> None:
    """Print what happened to the assistants of this id, or to that of one org."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = [
            await assistant_shown(connection, await _moment(connection, owner, at), agent_id)
            for owner, agent_id in await find_assistants(connection, assistant)
            if org_id in (None, owner)
        ]
    if not found:
        raise NotFound(f"there is no assistant {assistant}")
    document = [with_more(one.explained, standing=one.standing) for one in found]
    lines = (line for one in found for line in _assistant_lines(one, jaeger_url))
    show("explain", document, lines, as_json=as_json)


def _assistant_lines(shown: AssistantShown, jaeger_url: str | None) -> Iterator[str]:
    one = shown.explained
    if shown.standing is not None:
        yield from standing_lines(shown.standing, shown.name)
    yield f"{one.agent_id} of {one.org_id}, as of position {one.as_of_position}, {utc(one.as_of)}"
    yield f"at Vapi     {one.assistant_id}{', deleted' if one.removed else ''}"
    if one.outcome:
        yield f"outcome     {one.outcome}{_code(one.code)}; has {', '.join(one.tools) or 'no tools'}"
    yield f"wanted      {', '.join(one.wanted) or 'nothing'}"
    for setting in one.switched_off:
        yield f"off         {setting.tool_name}: {said(setting)}"
    for tool in one.missing:
        yield f"missing     {tool.name}{_code(tool.code)}"
    for request in one.open_requests:
        yield f"open        {request.request_id}, revision {request.revision}, since {utc(request.since)}"
    yield from _still_open(one)
    yield from event_lines(one.events, jaeger_url)


async def _moment(connection: Connection, org_id: UUID, at: datetime | None) -> StateAsOf:
    fleet, paused = await fleet_of(connection, at), await keys_holding(connection, org_id)
    return await state_as_of(connection, org_id, fleet, at, paused)


def _still_open(one: ToolExplained | AssistantExplained) -> Iterator[str]:
    """A write without an answer, what failed, and what happens next."""
    if one.unknown_since is not None:
        yield f"unknown     a write to Vapi has no answer since {utc(one.unknown_since)}, {one.unknown_seconds:.0f} s"
    if one.failure_code is not None:
        due = f"; due {utc(one.retry_at)}" if one.retry_at else ""
        yield f"failed      {one.failures} time(s){_code(one.failure_code)}{due}"
    if one.outlook is not None:
        for reason in one.outlook.reasons:
            yield f"not yet     {reason.what}{_code(reason.code)}"
            if reason.who_acts is not None:
                yield f"            {reason.who_acts}: {reason.what_to_do}"
        yield f"next        {one.outlook.next}" + (f", {utc(one.outlook.at)}" if one.outlook.at else "")


def _code(code: str | None) -> str:
    if code is None:
        return ""
    known = entry_of(code)
    return f", {code}" if known is None else f", {code} {known.title}"

"""``tool-sync why`` and ``tool-sync explain``: reasons as text or as JSON."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from tool_sync.cli.connected import NotFound
from tool_sync.cli.org_show import event_lines
from tool_sync.cli.output import show, utc
from tool_sync.db import Connection
from tool_sync.queries.as_of import StateAsOf, fleet_of, state_as_of
from tool_sync.queries.assistants import find_assistants
from tool_sync.queries.explain_assistant import AssistantExplained, explain_assistant
from tool_sync.queries.explain_tool import ToolExplained, explain_tool
from tool_sync.queries.next_action import NextAction
from tool_sync.queries.tool_settings import said
from tool_sync.vapi.rate_limit import paused_keys
from zerotouch_contracts.errors import entry_of

T = TypeVar("T")


async def show_why(
    connection: Connection, org_id: UUID, tool: str, at: datetime | None, jaeger_url: str | None, *, as_json: bool
) -> int:
    """Print why an org has a tool or lacks it; returns the exit status."""

    async def read() -> ToolExplained:
        return await explain_tool(connection, await _moment(connection, org_id, at), tool)

    def text(found: ToolExplained) -> Iterator[str]:
        yield f"{found.tool} of {found.org_id}, as of position {found.as_of_position}, {utc(found.as_of)}"
        yield f"wanted      {'yes' if found.wanted else 'no'}: {found.rule}"
        yield from (f"            not {why}" for why in found.beaten)
        if found.setting is not None:
            yield f"setting     {said(found.setting)}"
        yield f"condition   {found.condition}"
        if found.vapi_tool_id:
            yield f"at Vapi     {found.vapi_tool_id}, definition version {found.definition_version}"
        if found.retired:
            doomed = "; a deletion may still land, so this id is never linked again" if found.retired.doomed else ""
            yield f"retired     {found.retired.reason}; deleted after {utc(found.retired.delete_at)}{doomed}"
        for one in found.surplus:
            age = f"; its deletion has no answer since {one.unknown_seconds:.0f} s" if one.unknown_seconds else ""
            yield f"surplus     {one.vapi_tool_id}, since {utc(one.since)}{age}{_code(one.failure_code)}"
        yield from _unknown(found.unknown_since, found.unknown_seconds)
        yield from _trouble(found.failure_code, found.failures, found.retry_at)
        yield from _next(found.outlook)
        yield from event_lines(found.events, jaeger_url)

    return await _answer("why", connection, read, text, as_json=as_json)


async def show_explanation(
    connection: Connection,
    assistant: str,
    at: datetime | None = None,
    jaeger_url: str | None = None,
    org_id: UUID | None = None,
    *,
    as_json: bool,
) -> int:
    """Print what happened to the assistants of this id, or to that of one org; returns the exit status."""

    async def read() -> list[AssistantExplained]:
        found = [
            await explain_assistant(connection, await _moment(connection, owner, at), agent_id)
            for owner, agent_id in await find_assistants(connection, assistant)
            if org_id in (None, owner)
        ]
        if not found:
            raise NotFound(f"there is no assistant {assistant}")
        return found

    def text(found: Sequence[AssistantExplained]) -> Iterator[str]:
        for one in found:
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
            yield from _unknown(one.unknown_since, one.unknown_seconds)
            yield from _trouble(one.failure_code, one.failures, one.retry_at)
            yield from _next(one.outlook)
            yield from event_lines(one.events, jaeger_url)

    return await _answer("explain", connection, read, text, as_json=as_json)


async def _answer(
    command: str,
    connection: Connection,
    read: Callable[[], Awaitable[T]],
    to_text: Callable[[T], Iterator[str]],
    *,
    as_json: bool,
) -> int:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        answer = await read()
    show(command, answer, to_text(answer), as_json=as_json)
    return 0


async def _moment(connection: Connection, org_id: UUID, at: datetime | None) -> StateAsOf:
    fleet, paused = await fleet_of(connection, at), await paused_keys(connection)
    return await state_as_of(connection, org_id, fleet, at, paused)


def _unknown(since: datetime | None, age_seconds: float | None) -> Iterator[str]:
    if since is not None:
        yield f"unknown     a write to Vapi has no answer since {utc(since)}, {age_seconds:.0f} s"


def _trouble(code: str | None, failures: int, retry_at: datetime | None) -> Iterator[str]:
    if code is not None:
        yield f"failed      {failures} time(s){_code(code)}" + (f"; due {utc(retry_at)}" if retry_at else "")


def _next(outlook: NextAction | None) -> Iterator[str]:
    if outlook is not None:
        for reason in outlook.reasons:
            yield f"not yet     {reason.what}{_code(reason.code)}"
            if reason.who_acts is not None:
                yield f"            {reason.who_acts}: {reason.what_to_do}"
        yield f"next        {outlook.next}" + (f", {utc(outlook.at)}" if outlook.at else "")


def _code(code: str | None) -> str:
    if code is None:
        return ""
    known = entry_of(code)
    return f", {code}" if known is None else f", {code} {known.title}"

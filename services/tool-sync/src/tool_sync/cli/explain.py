"""``tool-sync why`` and ``tool-sync explain``: reasons as text or as JSON."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from tool_sync import db
from tool_sync.cli.connected import NotFound, connected
from tool_sync.cli.org_show import event_lines
from tool_sync.cli.output import print_json, print_lines, utc
from tool_sync.queries.as_of import blueprint_of, state_as_of
from tool_sync.queries.assistants import find_assistants
from tool_sync.queries.explain_assistant import AssistantExplained, explain_assistant
from tool_sync.queries.explain_tool import ToolExplained, explain_tool
from tool_sync.queries.next_action import NextAction
from tool_sync.vapi.rate_limit import paused_keys
from zerotouch_contracts.errors import CATALOGUE, ErrorCode

T = TypeVar("T")


async def show_why(
    database_url: str, org_id: UUID, tool: str, *, at: datetime | None, as_json: bool, jaeger_url: str | None
) -> int:
    """Print why an org has a tool or lacks it; returns the exit status."""

    async def read(connection: db.Connection) -> ToolExplained:
        blueprint, paused = await blueprint_of(connection, at), await paused_keys(connection)
        moment = await state_as_of(connection, org_id, blueprint, at, paused)
        return await explain_tool(connection, moment, tool)

    def text(found: ToolExplained) -> Iterator[str]:
        yield f"{found.tool} of {found.org_id}, as of position {found.as_of_position}, {utc(found.as_of)}"
        yield f"wanted      {'yes' if found.wanted else 'no'}: {found.rule}"
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

    return await _answer("why", database_url, read, text, as_json=as_json)


async def show_explanation(
    database_url: str,
    assistant: str,
    *,
    at: datetime | None,
    as_json: bool,
    jaeger_url: str | None,
    org_id: UUID | None = None,
) -> int:
    """Print what happened to the assistants of this id, or to that of one org; returns the exit status."""

    async def read(connection: db.Connection) -> list[AssistantExplained]:
        found = []
        for owner, agent_id in await find_assistants(connection, assistant):
            if org_id not in (None, owner):
                continue
            blueprint, paused = await blueprint_of(connection, at), await paused_keys(connection)
            moment = await state_as_of(connection, owner, blueprint, at, paused)
            found.append(await explain_assistant(connection, moment, agent_id))
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
            for tool in one.missing:
                yield f"missing     {tool.name}{_code(tool.code)}"
            for request in one.open_requests:
                yield f"open        {request.request_id}, revision {request.revision}, since {utc(request.since)}"
            yield from _unknown(one.unknown_since, one.unknown_seconds)
            yield from _trouble(one.failure_code, one.failures, one.retry_at)
            yield from _next(one.outlook)
            yield from event_lines(one.events, jaeger_url)

    return await _answer("explain", database_url, read, text, as_json=as_json)


async def _answer(
    command: str,
    database_url: str,
    read: Callable[[db.Connection], Awaitable[T]],
    to_text: Callable[[T], Iterator[str]],
    *,
    as_json: bool,
) -> int:
    async def work(connection: db.Connection) -> int:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            answer = await read(connection)
        if as_json:
            document: Any = [asdict(one) for one in answer] if isinstance(answer, list) else asdict(answer)  # type: ignore[call-overload]
            print_json(command, document)
            return 0
        print_lines(to_text(answer))
        return 0

    return await connected(database_url, work)


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
    try:
        return f", {code} {CATALOGUE[ErrorCode(code)].title}"
    except ValueError:  # a newer release's
        return f", {code}"

"""An assistant: its sentence, what it lacks and why, what is open, and what happened to it."""

import shlex
from collections.abc import Iterator

from tool_sync.admin.describing.page import CHANGES_SHOWN, Description, console_page, paused_lines
from tool_sync.db import Connection
from tool_sync.queries.as_of import StateAsOf
from tool_sync.queries.assistant_shown import AssistantShown, assistant_shown
from tool_sync.queries.tool_calls import booked_lines
from zerotouch_contracts.errors import entry_of
from zerotouch_platform.times import utc
from zerotouch_platform.traces import page_of


async def describe_assistant(
    connection: Connection, moment: StateAsOf, agent_id: str, console_url: str | None, jaeger_url: str | None
) -> Description:
    """As of the moment; one of the clinic's."""
    found = await assistant_shown(connection, moment, agent_id)
    org_id, agent = found.org_id, shlex.quote(agent_id)
    trace = [f"trace: {page_of(found.trace_id, jaeger_url) or found.trace_id}"] if found.trace_id else []
    return Description(
        "assistant",
        found.name,
        tuple(_what(found, moment)),
        (*paused_lines(moment.paused), *_wrong(found)),
        tuple(_next(found)),
        tuple(f"{utc(one.at)}  {one.says}" for one in reversed(found.story[-CHANGES_SHOWN:])),
        (
            console_page(console_url, f"/orgs/{org_id}/agents/{agent_id}"),
            *trace,
            f"tool-sync explain {agent}",
            f"tool-sync words --agent {agent}",
            f"tool-sync check {found.explained.assistant_id or agent} --live",
        ),
    )


def _what(found: AssistantShown, moment: StateAsOf) -> Iterator[str]:
    one = found.explained
    yield f"assistant {found.agent_id} of clinic {found.clinic} ({found.org_id})"
    yield f"at Vapi: {one.assistant_id or 'nothing yet'}{', deleted' if one.removed else ''}"
    if not moment.is_now:
        yield f"as of {utc(moment.asked_at)}, position {one.as_of_position}"
    if found.standing is not None:
        yield f"it {found.standing.sentence}"
    if found.calls is not None:
        yield from booked_lines(found.calls)
    yield f"wanted: {', '.join(one.wanted) or 'nothing'}"
    if one.outcome is not None:
        yield f"its newest outcome: {one.outcome}, with {', '.join(one.tools) or 'no tools'}"


def _wrong(found: AssistantShown) -> Iterator[str]:
    one, standing = found.explained, found.standing
    if standing is not None and standing.state in ("cannot", "waits", "none"):
        entry = entry_of(standing.code)
        yield f"it {standing.sentence}" + (f" [{entry.code} {entry.title}]" if entry else "")
    for tool in one.missing:
        yield f"it lacks {tool.name}" + (f" [{tool.code}]" if tool.code else "")
    if one.unknown_since is not None:
        yield f"a write to Vapi has no answer since {utc(one.unknown_since)}"
    if one.failure_code is not None:
        yield f"the last {one.failures} tries failed [{one.failure_code}]"


def _next(found: AssistantShown) -> Iterator[str]:
    one, standing = found.explained, found.standing
    if standing is not None and standing.next:
        yield (f"{standing.who_acts}: " if standing.who_acts else "") + standing.next
    if one.outlook is not None:
        yield one.outlook.next + (f", {utc(one.outlook.at)}" if one.outlook.at else "")
    for request in one.open_requests:
        yield f"save {request.request_id}, revision {request.revision}, has no outcome since {utc(request.since)}"

"""Making and updating an org's tools."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

from tool_sync.domain.commands import Command, ConfirmTool
from tool_sync.domain.events import SurplusFound, ToolRegistrationStarted, ToolTextLost, ToolUpdateStarted, ToolVanished
from tool_sync.domain.plan.steps import RegisterTool, UpdateTool
from tool_sync.domain.toolset import Started
from tool_sync.sync.effects.adopt import adopt
from tool_sync.sync.write_guard import WriteGuard
from tool_sync.vapi.documents import latest_version
from tool_sync.vapi.failures import VapiFailure, invalid_answer
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import ToolMarker
from zerotouch_platform.vapi.json import Json


async def register(guard: WriteGuard, org_id: UUID, step: RegisterTool) -> tuple[Command, ...]:
    """``POST /tool``, unless a restore has lost one that was made before."""
    context, tool = guard.context, step.tool
    payload = await guard.payload(tool)
    if isinstance(payload, ToolTextLost):
        return (payload,)
    if (adopted := await adopt(guard, org_id, step, payload)) is not None:
        return adopted
    attempt_id = context.new_id()
    started = ToolRegistrationStarted(
        attempt_id,
        context.vapi.account,
        tool.name,
        tool.definition_version,
        tool.definition_hash,
        tool.order,
        guard.fleet.position,
        note=tool.note,
        overlay=tool.overlay,
    )
    try:
        answer = await _send(guard, step, started, lambda: context.vapi.create_tool(payload))
    except VapiFailure:
        return ()  # a 404 on POST /tool: a wrong base URL; it is in the log
    if answer is None:
        return ()
    if ToolMarker.of(answer) != ToolMarker(context.blueprint.installation_id, org_id, tool.name):
        failure = invalid_answer("Vapi answered with a different tool", write=True)
        return (guard.failed(step.subject, failure, attempt_id, tool.definition_hash),)
    made = SurplusFound(context.vapi.account, tool.name, answer["id"], context.made_at(answer))
    return (confirmed(attempt_id, answer, made=made),)


async def update(guard: WriteGuard, step: UpdateTool) -> tuple[Command, ...]:
    """``PATCH /tool``: the definition changed, the id stays."""
    context, tool, current = guard.context, step.tool, step.current
    made = await guard.payload(tool)
    if isinstance(made, ToolTextLost):
        return (made,)
    started = ToolUpdateStarted(
        context.new_id(),
        context.vapi.account,
        tool.name,
        current.vapi_tool_id,
        tool.definition_version,
        tool.definition_hash,
        tool.order,
        guard.fleet.position,
        note=tool.note,
        overlay=tool.overlay,
    )
    drift = guard.state.drifted.get(tool.name)
    is_same = (current.definition_hash, guard.state.overlays.get(tool.name, ())) == (tool.definition_hash, tool.overlay)
    if drift is not None and is_same:
        started = replace(started, repairs=drift.found)
    # A PATCH leaves alone what it does not name: messages of the version before would stay.
    payload = {"messages": [], **made}
    try:
        answer = await _send(guard, step, started, lambda: context.vapi.update_tool(current.vapi_tool_id, payload))
    except VapiFailure:
        return (ToolVanished(context.vapi.account, *current.fields),)
    return () if answer is None else (confirmed(started.attempt_id, answer),)


async def _send(
    guard: WriteGuard, step: RegisterTool | UpdateTool, started: Started, call: Callable[[], Awaitable[Json]]
) -> Json | None:
    return await guard.send(started, step.subject, call, step.tool.definition_hash, before=step.tool.closes_at)


def confirmed(attempt_id: UUID, tool: Json, *, adopted: bool = False, made: SurplusFound | None = None) -> ConfirmTool:
    """Vapi has the attempt's tool, as it answered or shows it."""
    return ConfirmTool(attempt_id, tool["id"], canonical_hash(tool), adopted, made, latest_version(tool))

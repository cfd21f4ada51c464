"""Making and updating an org's tools."""

from uuid import UUID

from tool_sync.domain.commands import Command, ConfirmTool
from tool_sync.domain.events import SurplusFound, ToolRegistrationStarted, ToolUpdateStarted, ToolVanished
from tool_sync.domain.plan.steps import RegisterTool, UpdateTool
from tool_sync.sync.effects.adopt import adopt
from tool_sync.sync.write_guard import WriteGuard
from tool_sync.vapi.documents import latest_version
from tool_sync.vapi.failures import VapiFailure, invalid_answer
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import ToolMarker


async def register(guard: WriteGuard, org_id: UUID, step: RegisterTool) -> tuple[Command, ...]:
    """``POST /tool``, unless a restore has lost one that was made before."""
    if (adopted := await adopt(guard, org_id, step)) is not None:
        return adopted
    context, tool = guard.context, step.tool
    attempt_id = context.new_id()
    started = ToolRegistrationStarted(
        attempt_id,
        context.vapi.account,
        tool.name,
        tool.definition_version,
        tool.definition_hash,
        tool.order,
        guard.fleet.position,
    )
    payload = guard.payload(tool)
    try:
        answer = await guard.send(
            started, step.subject, lambda: context.vapi.create_tool(payload), tool.definition_hash
        )
    except VapiFailure:
        return ()  # a 404 on POST /tool: a wrong base URL; it is in the log
    if answer is None:
        return ()
    if ToolMarker.of(answer) != ToolMarker(context.blueprint.installation_id, org_id, tool.name):
        failure = invalid_answer("Vapi answered with a different tool", write=True)
        return (guard.failed(step.subject, failure, attempt_id, tool.definition_hash),)
    made = SurplusFound(context.vapi.account, tool.name, answer["id"], context.made_at(answer))
    return (
        ConfirmTool(
            attempt_id, answer["id"], canonical_hash(answer), adopted=False, made=made,
            vapi_version=latest_version(answer),
        ),
    )  # fmt: skip


async def update(guard: WriteGuard, step: UpdateTool) -> tuple[Command, ...]:
    """``PATCH /tool``: the definition changed, the id stays."""
    context, tool, current = guard.context, step.tool, step.current
    started = ToolUpdateStarted(
        context.new_id(),
        context.vapi.account,
        tool.name,
        current.vapi_tool_id,
        tool.definition_version,
        tool.definition_hash,
        tool.order,
        guard.fleet.position,
    )
    # A PATCH leaves alone what it does not name: messages of the version before would stay.
    payload = {"messages": [], **guard.payload(tool)}
    try:
        answer = await guard.send(
            started,
            step.subject,
            lambda: context.vapi.update_tool(current.vapi_tool_id, payload),
            tool.definition_hash,
        )
    except VapiFailure:
        return (ToolVanished(context.vapi.account, *current.fields),)
    if answer is None:
        return ()
    return (
        ConfirmTool(
            started.attempt_id, answer["id"], canonical_hash(answer), adopted=False, vapi_version=latest_version(answer)
        ),
    )

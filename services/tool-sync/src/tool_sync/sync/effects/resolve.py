"""Looking what became of a write whose answer was lost."""

from dataclasses import replace
from typing import assert_never
from uuid import UUID

from tool_sync.domain.commands import Command, ConfirmDeleted, ConfirmLinked, FailStep
from tool_sync.domain.events import (
    AssistantLinkStarted,
    SurplusDeleteStarted,
    SurplusFound,
    ToolDeleteStarted,
    ToolRegistrationStarted,
    ToolUpdateStarted,
    ToolVanished,
)
from tool_sync.domain.plan.steps import ResolveAttempt
from tool_sync.domain.toolset import Toolset
from tool_sync.publishing.overlay import missing, worded
from tool_sync.sync.effects.link import is_linked
from tool_sync.sync.effects.register import confirmed
from tool_sync.sync.write_guard import WriteGuard
from tool_sync.vapi.documents import holds_tool, latest_version
from tool_sync.vapi.failures import VapiFailure, unless_gone
from zerotouch_contracts.canonical import canonical_hash, model_hash
from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.tools import ToolMarker


async def resolve(guard: WriteGuard, org_id: UUID, step: ResolveAttempt) -> tuple[Command, ...]:
    """Look what became of a write whose answer was lost; by now it can no longer land."""
    try:
        return await _found(guard, org_id, step)
    except VapiFailure as failure:
        # The attempt stays open and is looked up again, whatever the refusal, as nobody else can.
        failed = guard.failed(step.subject, failure, None, None)
        return (failed if failed.retry_at is not None else replace(failed, retry_at=guard.retry_at(step.subject)),)


async def _found(guard: WriteGuard, org_id: UUID, step: ResolveAttempt) -> tuple[Command, ...]:
    match step.attempt.started:
        case ToolRegistrationStarted() as started:
            return await _find_tool(guard, org_id, step, started)
        case ToolUpdateStarted() as started:
            return await _read_tool(guard, org_id, step, started)
        case ToolDeleteStarted() | SurplusDeleteStarted() as started:
            return await _look_deleted(guard, step, started)
        case AssistantLinkStarted() as started:
            return await _read_links(guard, step, started)
        case _:
            assert_never(step.attempt.started)


async def _find_tool(
    guard: WriteGuard, org_id: UUID, step: ResolveAttempt, started: ToolRegistrationStarted
) -> tuple[Command, ...]:
    context = guard.context
    marker = ToolMarker(context.blueprint.installation_id, org_id, started.name)
    since = context.vapi_time_before(step.attempt.started_at)
    made = [tool async for tool in context.vapi.tools_created_since(since, guard.look) if ToolMarker.of(tool) == marker]
    # What the log holds as surplus, or as being deleted, is not adopted.
    found = [tool for tool in made if not _is_given_up(guard.state, started.name, tool["id"])]
    if not found:
        return (_absent(guard, step, started.attempt_id),)
    # Several: two workers raced. Everybody takes the oldest; the surplus is only noted here, as it may be linked.
    oldest = min(found, key=lambda tool: (str(tool.get("createdAt")), tool["id"]))
    others = (tool for tool in found if tool is not oldest)
    surplus = (SurplusFound(context.vapi.account, started.name, one["id"], context.made_at(one)) for one in others)
    return (confirmed(started.attempt_id, oldest, adopted=True), *surplus)


def _is_given_up(state: Toolset, name: str, vapi_tool_id: str) -> bool:
    retired = state.retired.get(name)
    return vapi_tool_id in state.surplus or (retired is not None and retired.ref.vapi_tool_id == vapi_tool_id)


async def _read_tool(
    guard: WriteGuard, org_id: UUID, step: ResolveAttempt, started: ToolUpdateStarted
) -> tuple[Command, ...]:
    context = guard.context
    tool = await unless_gone(guard.look(lambda: context.vapi.get_tool(started.vapi_tool_id)))
    if tool is None:
        current = guard.state.tools.get(started.name)
        return (ToolVanished(context.vapi.account, *current.fields),) if current else ()
    # Judged by the definition and the words that were sent, whatever is wanted by now; what nobody can tell any more is
    # sent anew.
    sent = guard.fleet.document(started.name, started.definition_hash)
    texts = await guard.texts(started.overlay)
    is_there = (
        sent is not None
        and not missing(started.overlay, texts)
        and holds_tool(tool, worded(context.document_for(sent, org_id), started.overlay, texts))
    )
    return (
        confirmed(started.attempt_id, tool, adopted=True) if is_there else _absent(guard, step, started.attempt_id),
    )


async def _look_deleted(
    guard: WriteGuard, step: ResolveAttempt, started: ToolDeleteStarted | SurplusDeleteStarted
) -> tuple[Command, ...]:
    """Gone: the deletion happened. Still there: the tool is swept again later, and never linked meanwhile."""
    tool = await unless_gone(guard.look(lambda: guard.context.vapi.get_tool(started.vapi_tool_id)))
    return (ConfirmDeleted(started.attempt_id) if tool is None else _absent(guard, step, started.attempt_id),)


async def _read_links(guard: WriteGuard, step: ResolveAttempt, started: AssistantLinkStarted) -> tuple[Command, ...]:
    try:
        answer = await guard.look(lambda: guard.context.vapi.get_assistant(started.assistant_id))
    except VapiFailure as failure:
        if failure.retryable:
            raise
        # The assistant is gone: so is what was sent to it.
        return (guard.failed(step.subject, failure, started.attempt_id, None),)
    model = answer.get("model")
    if isinstance(model, dict) and is_linked(model, started):
        version = latest_version(answer)
        return (ConfirmLinked(started.attempt_id, model_hash(model), canonical_hash(answer), version),)
    return (_absent(guard, step, started.attempt_id),)


def _absent(guard: WriteGuard, step: ResolveAttempt, attempt_id: UUID) -> FailStep:
    """It did not happen: the attempt is closed, and the step is due again at once."""
    return FailStep(step.subject, attempt_id, "absent", ErrorCode.VAPI_ANSWER_UNKNOWN, guard.context.clock.now(), None)

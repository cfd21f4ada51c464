"""Looking what became of a write whose answer was lost."""

from dataclasses import replace
from typing import Any, assert_never
from uuid import UUID

from tool_sync.domain.commands import Command, ConfirmDeleted, ConfirmLinked, ConfirmTool, FailStep
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
from tool_sync.sync.blueprint import document_for
from tool_sync.sync.effects.link import is_linked
from tool_sync.sync.write_guard import WriteGuard
from tool_sync.vapi.documents import holds_tool, latest_version
from tool_sync.vapi.failures import VapiFailure
from zerotouch_contracts.canonical import canonical_hash, model_hash
from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.tools import ToolMarker
from zerotouch_platform.vapi.answers import Meaning


async def resolve(guard: WriteGuard, org_id: UUID, step: ResolveAttempt) -> tuple[Command, ...]:
    """Look what became of a write whose answer was lost; by now it can no longer land."""
    started = step.attempt.started
    match started:
        case ToolRegistrationStarted():
            return await _find_tool(guard, org_id, step, started)
        case ToolUpdateStarted():
            return await _read_tool(guard, org_id, step, started)
        case ToolDeleteStarted() | SurplusDeleteStarted():
            return await _look_deleted(guard, step, started)
        case AssistantLinkStarted():
            return await _read_links(guard, step, started)
        case _:
            assert_never(started)


async def _find_tool(
    guard: WriteGuard, org_id: UUID, step: ResolveAttempt, started: ToolRegistrationStarted
) -> tuple[Command, ...]:
    context = guard.context
    marker = ToolMarker(context.blueprint.installation_id, org_id, started.name)
    since = context.vapi_time_before(step.attempt.started_at)

    async def find() -> list[dict[str, Any]]:
        return [
            tool async for tool in context.vapi.tools_created_since(since, guard.look) if ToolMarker.of(tool) == marker
        ]

    try:
        found = await find()
    except VapiFailure as failure:
        return (_look_later(guard, step, failure),)
    # What the log holds as surplus, or as being deleted, is not adopted.
    found = [tool for tool in found if not _is_given_up(guard.state, started.name, tool["id"])]
    if not found:
        return (_absent(guard, step, started.attempt_id),)
    # Several: two workers raced. Everybody takes the oldest; the surplus is only noted here, as it may be linked.
    oldest = min(found, key=lambda tool: (str(tool.get("createdAt")), tool["id"]))
    return (
        ConfirmTool(
            started.attempt_id, oldest["id"], canonical_hash(oldest), adopted=True, vapi_version=latest_version(oldest)
        ),
        *(
            SurplusFound(context.vapi.account, started.name, tool["id"], context.made_at(tool))
            for tool in found
            if tool is not oldest
        ),
    )


def _is_given_up(state: Toolset, name: str, vapi_tool_id: str) -> bool:
    retired = state.retired.get(name)
    return vapi_tool_id in state.surplus or (retired is not None and retired.ref.vapi_tool_id == vapi_tool_id)


async def _read_tool(
    guard: WriteGuard, org_id: UUID, step: ResolveAttempt, started: ToolUpdateStarted
) -> tuple[Command, ...]:
    context = guard.context
    try:
        tool = await guard.look(lambda: context.vapi.get_tool(started.vapi_tool_id))
    except VapiFailure as failure:
        if failure.meaning is Meaning.GONE:
            current = guard.state.tools.get(started.name)
            return (ToolVanished(context.vapi.account, *current.fields),) if current else ()
        return (_look_later(guard, step, failure),)
    # Judged by the definition that was sent, whatever is wanted by now.
    sent = guard.fleet.document(started.name, started.definition_hash)
    if sent is not None and holds_tool(tool, document_for(sent, org_id)):
        confirmed = ConfirmTool(
            started.attempt_id, tool["id"], canonical_hash(tool), adopted=True, vapi_version=latest_version(tool)
        )
        return (confirmed,)
    return (_absent(guard, step, started.attempt_id),)


async def _look_deleted(
    guard: WriteGuard, step: ResolveAttempt, started: ToolDeleteStarted | SurplusDeleteStarted
) -> tuple[Command, ...]:
    """Gone: the deletion happened. Still there: the tool is swept again later, and never linked meanwhile."""
    try:
        await guard.look(lambda: guard.context.vapi.get_tool(started.vapi_tool_id))
    except VapiFailure as failure:
        if failure.meaning is Meaning.GONE:
            return (ConfirmDeleted(started.attempt_id),)
        return (_look_later(guard, step, failure),)
    return (_absent(guard, step, started.attempt_id),)


async def _read_links(guard: WriteGuard, step: ResolveAttempt, started: AssistantLinkStarted) -> tuple[Command, ...]:
    try:
        answer = await guard.look(lambda: guard.context.vapi.get_assistant(started.assistant_id))
    except VapiFailure as failure:
        if failure.retryable:
            return (_look_later(guard, step, failure),)
        # The assistant is gone: so is what was sent to it.
        return (guard.failed(step.subject, failure, started.attempt_id, None),)
    model = answer.get("model")
    if isinstance(model, dict) and is_linked(model, started):
        version = latest_version(answer)
        return (ConfirmLinked(started.attempt_id, model_hash(model), canonical_hash(answer), version),)
    return (_absent(guard, step, started.attempt_id),)


def _look_later(guard: WriteGuard, step: ResolveAttempt, failure: VapiFailure) -> FailStep:
    """The look failed: the attempt stays open and is looked up again, whatever the refusal, as nobody else can."""
    failed = guard.failed(step.subject, failure, None, None)
    return failed if failed.retry_at is not None else replace(failed, retry_at=guard.retry_at(step.subject))


def _absent(guard: WriteGuard, step: ResolveAttempt, attempt_id: UUID) -> FailStep:
    """It did not happen: the attempt is closed, and the step is due again at once."""
    return FailStep(step.subject, attempt_id, "absent", ErrorCode.VAPI_ANSWER_UNKNOWN, guard.context.clock.now(), None)

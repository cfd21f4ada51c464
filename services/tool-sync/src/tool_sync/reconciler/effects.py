"""One step against Vapi. Each function performs one kind of step and leaves everything it learned in the log."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, assert_never
from uuid import UUID

from tool_sync.domain.decider import (
    Command,
    ConfirmLinked,
    ConfirmTool,
    FailStep,
    ForgetTool,
    NoteDiverged,
    NoteDrift,
    Start,
)
from tool_sync.domain.events import AssistantLinkStarted, ToolRegistrationStarted, ToolUpdateStarted
from tool_sync.domain.linking import Seen as Version
from tool_sync.domain.linking import relinked, whose
from tool_sync.domain.steps import LinkAssistant, RegisterTool, ResolveAttempt, Seen, Step, UpdateTool
from tool_sync.domain.toolset import OUTDATED_CODE, Assistant
from tool_sync.reconciler.fence import Fence
from tool_sync.vapi.failures import VapiFailure, invalid_answer
from zerotouch_contracts.canonical import canonical_hash, model_hash
from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.tools import Marker


async def perform(fence: Fence, org_id: UUID, step: Step) -> tuple[Seen | None, tuple[Command, ...]]:
    """Perform a step. Returns what was seen of an assistant, and commands that are still to be written.

    The caller writes them together with the outcome that follows from them. Everything that must be in the log before
    something is sent was written on the way.
    """
    match step:
        case RegisterTool():
            return None, await _register(fence, org_id, step)
        case UpdateTool():
            return None, await _update(fence, org_id, step)
        case ResolveAttempt():
            return None, await _resolve(fence, org_id, step)
        case LinkAssistant():
            return await _link(fence, step)
        case _:
            assert_never(step)


async def _register(fence: Fence, org_id: UUID, step: RegisterTool) -> tuple[Command, ...]:
    context, tool = fence.context, step.tool
    attempt_id = context.new_id()
    started = ToolRegistrationStarted(
        attempt_id, context.vapi.account, tool.name, tool.definition_version, tool.definition_hash
    )
    payload = context.blueprint.payload(tool.name, org_id)
    try:
        answer = await fence.send(
            Start(started), step.subject, lambda: context.vapi.create_tool(payload), tool.definition_hash
        )
    except VapiFailure:
        return ()  # a 404 on POST /tool: a wrong base URL; it is in the log
    if answer is None:
        return ()
    if Marker.of(answer) != Marker(context.blueprint.installation_id, org_id, tool.name):
        failure = invalid_answer("the created tool is another one", write=True)
        return (fence.failed(step.subject, failure, attempt_id, tool.definition_hash),)
    return (ConfirmTool(attempt_id, answer["id"], canonical_hash(answer), adopted=False),)


async def _update(fence: Fence, org_id: UUID, step: UpdateTool) -> tuple[Command, ...]:
    context, tool, current = fence.context, step.tool, step.current
    started = ToolUpdateStarted(
        context.new_id(),
        context.vapi.account,
        tool.name,
        current.vapi_tool_id,
        tool.definition_version,
        tool.definition_hash,
    )
    payload = context.blueprint.payload(tool.name, org_id)
    try:
        answer = await fence.send(
            Start(started),
            step.subject,
            lambda: context.vapi.update_tool(current.vapi_tool_id, payload),
            tool.definition_hash,
        )
    except VapiFailure:
        return (ForgetTool(context.vapi.account, current),)
    if answer is None:
        return ()
    return (ConfirmTool(started.attempt_id, answer["id"], canonical_hash(answer), adopted=False),)


async def _resolve(fence: Fence, org_id: UUID, step: ResolveAttempt) -> tuple[Command, ...]:
    """Look what became of a write whose answer was lost; by now it can no longer land."""
    started = step.attempt.started
    match started:
        case ToolRegistrationStarted():
            return await _find_tool(fence, org_id, step, started)
        case ToolUpdateStarted():
            return await _read_tool(fence, org_id, step, started)
        case AssistantLinkStarted():
            return await _read_links(fence, step, started)
        case _:
            assert_never(started)


async def _find_tool(
    fence: Fence, org_id: UUID, step: ResolveAttempt, started: ToolRegistrationStarted
) -> tuple[Command, ...]:
    context = fence.context
    marker = Marker(context.blueprint.installation_id, org_id, started.name)
    since = step.attempt.started_at - timedelta(seconds=context.limits.adoption_margin_seconds)

    async def find() -> list[dict[str, Any]]:
        return [tool async for tool in context.vapi.tools_created_since(since) if Marker.of(tool) == marker]

    try:
        found = await find()
    except VapiFailure as failure:
        return (_look_later(fence, step, failure),)
    if not found:
        return (_absent(fence, step, started.attempt_id),)
    # Several: two workers raced. Everybody takes the oldest; the surplus is never deleted here, as it may be linked.
    oldest = min(found, key=lambda tool: (str(tool.get("createdAt")), tool["id"]))
    return (ConfirmTool(started.attempt_id, oldest["id"], canonical_hash(oldest), adopted=True),)


async def _read_tool(
    fence: Fence, org_id: UUID, step: ResolveAttempt, started: ToolUpdateStarted
) -> tuple[Command, ...]:
    context = fence.context
    try:
        tool = await context.vapi.get_tool(started.vapi_tool_id)
    except VapiFailure as failure:
        if failure.status == 404:
            current = fence.writer.state.tools.get(started.name)
            return (ForgetTool(context.vapi.account, current),) if current else ()
        return (_look_later(fence, step, failure),)
    if not context.blueprint.defines(started.name):
        # Announced by a release with more tools. Whatever became of it, this release wants nothing of it.
        return (_absent(fence, step, started.attempt_id),)
    payload = context.blueprint.payload(started.name, org_id)
    if all(_holds(tool.get(key), value) for key, value in payload.items()):
        return (ConfirmTool(started.attempt_id, tool["id"], canonical_hash(tool), adopted=True),)
    return (_absent(fence, step, started.attempt_id),)


async def _read_links(fence: Fence, step: ResolveAttempt, started: AssistantLinkStarted) -> tuple[Command, ...]:
    try:
        answer = await fence.context.vapi.get_assistant(started.assistant_id)
    except VapiFailure as failure:
        if failure.retryable:
            return (_look_later(fence, step, failure),)
        # The assistant is gone: so is what was sent to it.
        return (fence.failed(step.subject, failure, started.attempt_id, None),)
    model = answer.get("model")
    if isinstance(model, dict) and relinked(model, (), started.tools) is None:
        return (ConfirmLinked(started.attempt_id, model_hash(model), canonical_hash(answer)),)
    return (_absent(fence, step, started.attempt_id),)


def _look_later(fence: Fence, step: ResolveAttempt, failure: VapiFailure) -> FailStep:
    """The look failed: the attempt stays open and is looked up again, whatever the refusal, as nobody else can."""
    failed = fence.failed(step.subject, failure, None, None)
    return failed if failed.retry_at is not None else replace(failed, retry_at=fence.retry_at(step.subject))


def _absent(fence: Fence, step: ResolveAttempt, attempt_id: UUID) -> FailStep:
    """It did not happen: the attempt is closed, and the step is due again at once."""
    return FailStep(step.subject, attempt_id, "absent", ErrorCode.VAPI_ANSWER_UNKNOWN, fence.context.clock.now(), None)


async def _link(fence: Fence, step: LinkAssistant) -> tuple[Seen | None, tuple[Command, ...]]:
    context, assistant = fence.context, step.assistant
    answer = await fence.read(step.subject, lambda: context.vapi.get_assistant(assistant.assistant_id))
    if answer is None:
        return None, ()
    model = answer.get("model")
    if not isinstance(model, dict):
        return None, (FailStep(step.subject, None, "refused", ErrorCode.ASSISTANT_WITHOUT_MODEL, None),)
    base_hash = model_hash(model)
    version = whose(assistant, base_hash)
    if version is Version.OUTDATED:
        return None, _outdated(fence, step, base_hash)
    noted: tuple[Command, ...] = ()
    if version is Version.FOREIGN and assistant.drift_hash != base_hash:
        noted = (NoteDrift(assistant.agent_id, assistant.assistant_id, base_hash),)
    seen = Seen(step.target, step.through)
    tool_ids = relinked(model, assistant.linked, step.target)
    if tool_ids is None:
        return seen, noted
    started = AssistantLinkStarted(
        attempt_id=context.new_id(),
        account=context.vapi.account,
        agent_id=assistant.agent_id,
        assistant_id=assistant.assistant_id,
        revision=assistant.revision,
        base_hash=base_hash,
        tools=step.target,
    )
    try:
        answer = await fence.send(
            Start(started),
            step.subject,
            # Vapi replaces ``model`` whole, so all of it goes back as it came; only the links change.
            lambda: context.vapi.update_assistant(assistant.assistant_id, {"model": {**model, "toolIds": tool_ids}}),
        )
    except VapiFailure:
        return None, noted  # 404: the failure is in the log
    if answer is None:
        return None, noted
    return _check_link(fence, step, started, answer, noted)


def _check_link(
    fence: Fence,
    step: LinkAssistant,
    started: AssistantLinkStarted,
    answer: Mapping[str, Any],
    noted: tuple[Command, ...],
) -> tuple[Seen | None, tuple[Command, ...]]:
    """Vapi answers with the assistant as stored: what is not in there was overwritten in between."""
    model = answer.get("model")
    if not isinstance(model, dict) or relinked(model, (), step.target) is not None:
        retry_at = fence.retry_at(step.subject)
        lost = FailStep(step.subject, started.attempt_id, "refused", ErrorCode.VAPI_CONFLICT, retry_at)
        return None, (*noted, lost)
    confirmed = ConfirmLinked(started.attempt_id, model_hash(model), canonical_hash(answer))
    return Seen(step.target, step.through), (*noted, confirmed)


def _outdated(fence: Fence, step: LinkAssistant, base_hash: str) -> tuple[Command, ...]:
    """An older version than the newest save: look again, as a save may be on its way; then ask for it once."""
    context, assistant = fence.context, step.assistant
    before = fence.writer.state.failures.get(step.subject)
    again = before is not None and before.code == OUTDATED_CODE
    wait = context.policy.diverged_look * (6 if again else 1)
    failed = FailStep(step.subject, None, "refused", ErrorCode.ASSISTANT_OUTDATED, context.clock.now() + wait)
    if not again or assistant.diverged_revision == assistant.revision:
        return (failed,)
    return (failed, _diverged(assistant, base_hash))


def _diverged(assistant: Assistant, base_hash: str) -> NoteDiverged:
    return NoteDiverged(assistant.agent_id, assistant.assistant_id, assistant.revision, base_hash)


def _holds(stored: object, sent: object) -> bool:
    """Whether what Vapi stored contains what was sent; it may add defaults."""
    if isinstance(sent, dict):
        return isinstance(stored, dict) and all(_holds(stored.get(key), value) for key, value in sent.items())
    if isinstance(sent, list):
        return (
            isinstance(stored, list)
            and len(stored) == len(sent)
            and all(_holds(s, w) for s, w in zip(stored, sent, strict=True))
        )
    return stored == sent

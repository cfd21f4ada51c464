"""Linking an assistant: only ``model.toolIds`` is ever changed."""

from collections.abc import Mapping
from typing import Any

from tool_sync.domain.decider import Command, ConfirmLinked, FailStep, NoteDiverged, NoteDrift, Start
from tool_sync.domain.events import AssistantLinkStarted
from tool_sync.domain.linking import Seen as Version
from tool_sync.domain.linking import relinked, whose
from tool_sync.domain.steps import LinkAssistant, Seen
from tool_sync.domain.toolset import OUTDATED_CODE, Assistant
from tool_sync.reconciler.fence import Fence
from tool_sync.vapi.failures import VapiFailure
from zerotouch_contracts.canonical import canonical_hash, model_hash
from zerotouch_contracts.errors import ErrorCode


async def link(fence: Fence, step: LinkAssistant) -> tuple[Seen | None, tuple[Command, ...]]:
    """Read the assistant, and write it back with ``step.target`` linked where it is not."""
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
    tool_ids = relinked(model, assistant.linked, step.target, step.unwanted)
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
        taken_out=tuple(str(tool_id) for tool_id in model.get("toolIds") or () if tool_id not in tool_ids),
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
    if not isinstance(model, dict) or relinked(model, (), step.target, started.taken_out) is not None:
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

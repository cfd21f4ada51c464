"""Linking an assistant, and seeing what stands between its callers and our tools.

GET /assistant ─► another clinic's: nothing is linked
               ─► ids that the log does not know: each read once a day, then the assistant is read again
               ─► PATCH /assistant where links are to change
               ─► what stands in the way is looked for on the newest document

Only ``model.toolIds`` is ever changed, and ``model.toolRefs`` where they pin what must not be there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog

from tool_sync.domain.commands import Command, ConfirmLinked, FailStep, NoteDiverged
from tool_sync.domain.events import AssistantLinkStarted, DriftDetected, SurplusFound
from tool_sync.domain.linking import ModelProvenance, relinked, unpinned, whose
from tool_sync.domain.plan.situation import ObservedLink
from tool_sync.domain.plan.steps import LinkAssistant
from tool_sync.domain.reach import (
    Known,
    NamedTool,
    belongs_to_another,
    named_ids,
    obstacles_of,
    pins_of,
    to_take_out,
)
from tool_sync.domain.toolset import OUTDATED_CODE
from tool_sync.sync.effects.named import look_up
from tool_sync.sync.read_ahead import ReadAhead
from tool_sync.sync.write_guard import WriteGuard
from tool_sync.vapi.documents import latest_version
from tool_sync.vapi.failures import VapiFailure
from zerotouch_contracts.canonical import canonical_hash, model_hash
from zerotouch_contracts.errors import ErrorCode

LOOKS_MAX: Final = 3
"""Reads of the assistant in one step: ids that nobody knew take time to look up, and it may change meanwhile."""

Done = tuple[ObservedLink | None, tuple[Command, ...]]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Link:
    """One step: what it knows so far, and what it has noted for the log."""

    guard: WriteGuard
    step: LinkAssistant
    known: Known
    named: dict[str, NamedTool] = field(default_factory=dict)
    noted: list[Command] = field(default_factory=list)


async def link(guard: WriteGuard, ahead: ReadAhead, org_id: UUID, step: LinkAssistant) -> Done:
    """Read the assistant, and write it back with ``step.target`` linked where it is not."""
    found = _Link(guard, step, known_of(guard, org_id))
    document = await _read(found, ahead)
    if document is None:
        return None, ()
    model = document.get("model")
    if belongs_to_another(document, found.known.installation_id, org_id):
        return _not_ours(found)
    if not isinstance(model, dict):
        code, about = ErrorCode.ASSISTANT_WITHOUT_MODEL, step.assistant.assistant_id
        return None, (FailStep(step.subject, None, "refused", code, None, assistant_id=about),)
    base_hash = model_hash(model)
    version, was_outdated = whose(step.assistant, base_hash), _was_outdated(guard, step)
    # An edit of what has overwritten the newest save does not bring that save back.
    if version is ModelProvenance.OUTDATED or (version is ModelProvenance.FOREIGN and was_outdated):
        return None, _outdated(guard, step, base_hash, again=was_outdated)
    if version is ModelProvenance.FOREIGN and step.assistant.drift_hash != base_hash:
        found.noted.append(DriftDetected(step.assistant.agent_id, step.assistant.assistant_id, base_hash))
    changes = _changes(found, model)
    if not changes:
        return _seen(found, document), tuple(found.noted)
    return await _write(found, model, base_hash, changes)


def known_of(guard: WriteGuard, org_id: UUID) -> Known:
    """What the log says of the org now, beside what assistant-api answers."""
    state, fleet = guard.state, guard.fleet
    return Known(
        installation_id=guard.context.blueprint.installation_id,
        org_id=org_id,
        tool_ids=state.tool_ids,
        registered=frozenset(state.tools),
        unwanted=frozenset(guard.writer.knowledge.wanted.unwanted),
        versions=state.versions,
        answered=fleet.answered_versions,
    )


async def _read(found: _Link, ahead: ReadAhead) -> Mapping[str, Any] | None:
    """The assistant, with everything known about the tools that it names; None where the failure is in the log.

    It is read again after tools were looked up: a change of it meanwhile must not be overwritten.
    """
    guard, step, assistant_id = found.guard, found.step, found.step.assistant.assistant_id
    for _ in range(LOOKS_MAX):
        document = await guard.recorded(step.subject, lambda: ahead.read(step, guard), assistant_id)
        if document is None:
            return None
        if belongs_to_another(document, found.known.installation_id, found.known.org_id):
            return document
        unknown = [one for one in named_ids(document) if one not in found.known.tool_ids and one not in found.named]
        if not unknown:
            return document
        tools = await guard.recorded(step.subject, partial(look_up, guard, unknown), assistant_id)
        if tools is None:
            return None
        named, was_asked = tools
        found.named |= named
        if not was_asked:  # all of it was known: no time has passed
            return document
    return document


def _changes(found: _Link, model: dict[str, Any]) -> dict[str, list[object]]:
    """The fields of ``model`` that are to be written; {} where everything is linked and nothing is to be taken out."""
    taken_out = to_take_out(found.named.values(), found.known)
    unwanted = found.step.unwanted | set(taken_out)
    for tool_id in taken_out:
        tool = found.named[tool_id]
        if tool.org_id == found.known.org_id and tool.name is not None:
            found.noted.append(SurplusFound(found.guard.context.vapi.account, tool.name, tool_id, None))
    tool_ids = relinked(model, found.step.assistant.linked, found.step.target, unwanted)
    tool_refs = unpinned(model, unwanted)
    changes = {"toolIds": tool_ids, "toolRefs": tool_refs}
    return {name: value for name, value in changes.items() if value is not None}


async def _write(found: _Link, model: dict[str, Any], base_hash: str, changes: dict[str, list[object]]) -> Done:
    guard, step = found.guard, found.step
    context, assistant = guard.context, step.assistant
    started = AssistantLinkStarted(
        attempt_id=context.new_id(),
        account=context.vapi.account,
        agent_id=assistant.agent_id,
        assistant_id=assistant.assistant_id,
        revision=assistant.revision,
        base_hash=base_hash,
        tools=step.target,
        taken_out=_taken_out(model, changes),
        fleet_position=guard.fleet.position,
    )
    try:
        answer = await guard.send(
            started,
            step.subject,
            # Vapi replaces ``model`` whole, so all of it goes back as it came; only the links change.
            lambda: context.vapi.update_assistant(assistant.assistant_id, {"model": {**model, **changes}}),
        )
    except VapiFailure:
        answer = None  # 404: the failure is in the log
    if answer is None:
        return None, tuple(found.noted)
    return _check_link(found, started, answer)


def _taken_out(model: Mapping[str, Any], changes: Mapping[str, Sequence[object]]) -> tuple[str, ...]:
    """The ids that the model names and no longer names with these changes."""
    before = named_ids({"model": model})
    after = set(named_ids({"model": {**model, **changes}}))
    return tuple(tool_id for tool_id in before if tool_id not in after)


def _check_link(found: _Link, started: AssistantLinkStarted, answer: Mapping[str, Any]) -> Done:
    """Vapi answers with the assistant as stored: what is not in there was overwritten in between."""
    guard, step, model = found.guard, found.step, answer.get("model")
    if not isinstance(model, dict) or not is_linked(model, started):
        retry_at = guard.retry_at(step.subject)
        lost = FailStep(step.subject, started.attempt_id, "refused", ErrorCode.VAPI_CONFLICT, retry_at)
        return None, (*found.noted, lost)
    version = latest_version(answer)
    confirmed = ConfirmLinked(started.attempt_id, model_hash(model), canonical_hash(answer), version)
    return _seen(found, answer, version), (*found.noted, confirmed)


def is_linked(model: dict[str, Any], started: AssistantLinkStarted) -> bool:
    """Whether a model is as this attempt was to make it."""
    return relinked(model, (), started.tools, started.taken_out) is None and unpinned(model, started.taken_out) is None


def _seen(found: _Link, document: Mapping[str, Any], linked_version: str | None = None) -> ObservedLink:
    """What stands in the way on the newest document that was read, beside what is known from elsewhere."""
    step, assistant = found.step, found.step.assistant
    obstacles = obstacles_of(
        document,
        step.target,
        named=found.named,
        known=found.known,
        split=assistant.split,
        linked_version=linked_version or assistant.linked_version,
    )
    for obstacle in obstacles:
        log.warning(
            "Assistant is linked and not usable", org_id=str(found.known.org_id), agent_id=assistant.agent_id,
            assistant_id=assistant.assistant_id, code=obstacle.code, tools=obstacle.tools,
            vapi_tool_ids=obstacle.vapi_tool_ids,
        )  # fmt: skip
    for pin in pins_of(document, step.target, found.known):
        log.info("Assistant pins a version of a tool", agent_id=assistant.agent_id, tool=pin.name, version=pin.label)
    return ObservedLink(step.target, step.through, obstacles)


def _not_ours(found: _Link) -> Done:
    """Its metadata names somebody else: a forged or mistaken record must not cross clinics."""
    assistant = found.step.assistant
    log.error(
        "Assistant belongs to another clinic or installation", org_id=str(found.known.org_id),
        agent_id=assistant.agent_id, assistant_id=assistant.assistant_id, code=ErrorCode.ASSISTANT_OF_ANOTHER.value,
        alarm=True,
    )  # fmt: skip
    return ObservedLink(found.step.target, found.step.through, another=True), ()


def _was_outdated(guard: WriteGuard, step: LinkAssistant) -> bool:
    """Whether the newest save was seen to be overwritten, and not seen at Vapi since."""
    before = guard.state.failures.get(step.subject)
    return before is not None and before.code == OUTDATED_CODE


def _outdated(guard: WriteGuard, step: LinkAssistant, base_hash: str, *, again: bool) -> tuple[Command, ...]:
    """An older version than the newest save: look again, as a save may be on its way; then ask for it once."""
    context, assistant = guard.context, step.assistant
    wait = context.policy.diverged_look * (6 if again else 1)
    failed = FailStep(
        step.subject, None, "refused", ErrorCode.ASSISTANT_OUTDATED, context.clock.now() + wait,
        assistant_id=assistant.assistant_id,
    )  # fmt: skip
    if not again or assistant.diverged_revision == assistant.revision:
        return (failed,)
    return (failed, NoteDiverged(assistant.agent_id, assistant.assistant_id, assistant.revision, base_hash))

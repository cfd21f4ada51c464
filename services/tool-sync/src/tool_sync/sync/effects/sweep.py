"""Deleting tools that nobody links: the only step that can break a call, so it looks first and does it last.

SweepStarted ─► GET /assistant, every page ─► linked by anybody: kept, and swept again later; whose assistant it is by
                                           │   our log, that one is looked at, and the link taken out
                                           └► made since then ─► ToolDeleteStarted ─► DELETE /tool ─► ToolDeleted

The whole list takes minutes in a large account, and assistants are made with links meanwhile (ADR 35). So right before
each deletion those are listed that were made since the list began, and it is sent soon after that or not at all.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.domain.commands import Command, ConfirmDeleted, FailStep
from tool_sync.domain.events import SurplusDeleteStarted, SweepStarted, ToolDeleteStarted
from tool_sync.domain.plan.steps import DeletionCandidate, SweepTools
from tool_sync.sync.effects.linking import Marked, marked_of, tell_linking
from tool_sync.sync.write_guard import WriteGuard
from tool_sync.vapi.documents import mentioned
from tool_sync.vapi.failures import VapiFailure
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.vapi.answers import Meaning

TOLD_MAX: Final = 100
"""Assistants of a sweep that are looked at; the next sweep has the next ones."""


class _LookTooOld(Exception):
    """It was looked too long ago who links the tool."""


async def sweep(guard: WriteGuard, org_id: UUID, step: SweepTools) -> tuple[Command, ...]:
    """List the assistants of the account, any org's and anybody's, and delete the tools that none of them mentions."""
    ids = frozenset(tool.vapi_tool_id for tool in step.tools)
    if not await guard.writer.write((SweepStarted(tuple(tool.vapi_tool_id for tool in step.tools)),)):
        return ()
    vapi, began_at = guard.context.vapi, guard.context.clock.now()
    found = await guard.recorded(step.subject, lambda: _mentioned(vapi.assistants(guard.look), ids))
    if found is None:
        return ()
    for tool in step.tools:
        if tool.vapi_tool_id in found.ids:
            await guard.writer.write((_in_use(guard, tool),))
        elif command := await _delete(guard, tool, began_at):
            await guard.writer.write((command,))
    await tell_linking(guard, org_id, found.by)
    return ()


@dataclass(slots=True)
class _Mentioned:
    """Which ids are mentioned, and by which assistants that carry an agent's mark; at most :data:`TOLD_MAX` of them."""

    ids: set[str] = field(default_factory=set)
    by: list[Marked] = field(default_factory=list)


async def _mentioned(assistants: AsyncIterator[object], ids: frozenset[str]) -> _Mentioned:
    found = _Mentioned()
    async for assistant in assistants:
        if here := mentioned(assistant, ids):
            found.ids |= here
            if len(found.by) < TOLD_MAX and (marked := marked_of(assistant)) is not None:
                found.by.append(marked)
    return found


def _in_use(guard: WriteGuard, tool: DeletionCandidate) -> FailStep:
    later = guard.context.clock.now() + guard.context.policy.sweep_every
    return FailStep(tool.subject, None, "refused", ErrorCode.TOOL_IN_USE, later)


async def _delete(guard: WriteGuard, tool: DeletionCandidate, listed_at: datetime) -> Command | None:
    """Delete a tool unless an assistant was made with it since ``listed_at``, when the list of all of them began."""
    context = guard.context
    # Reckoned with the margin of the lists' lag and of clocks that differ, so that no assistant is in neither list.
    since = context.vapi_time_before(listed_at)
    made_since = context.vapi.assistants(guard.look, since)
    found = await guard.recorded(tool.subject, lambda: _mentioned(made_since, frozenset((tool.vapi_tool_id,))))
    looked_at = context.clock.monotonic()
    if found is None:
        return None
    if found.ids:
        return _in_use(guard, tool)
    attempt_id, account = context.new_id(), context.vapi.account
    started: ToolDeleteStarted | SurplusDeleteStarted
    if tool.delete_at is None:
        started = SurplusDeleteStarted(attempt_id, account, tool.name, tool.vapi_tool_id)
    else:
        started = ToolDeleteStarted(attempt_id, account, tool.name, tool.vapi_tool_id, tool.delete_at)

    async def call() -> bool:
        # The key may have let it wait, or this process may have slept: then what was seen is too old.
        if context.clock.monotonic() - looked_at >= context.limits.send_window_seconds:
            raise _LookTooOld
        try:
            await context.vapi.delete_tool(tool.vapi_tool_id)
        except VapiFailure as failure:
            if failure.meaning is Meaning.GONE:
                return True  # somebody else deleted it
            if failure.meaning is Meaning.CONFLICT:
                raise replace(failure, code=ErrorCode.TOOL_IN_USE) from failure
            raise
        return True

    try:
        deleted = await guard.send(started, tool.subject, call)
    except _LookTooOld:
        return guard.missed(tool.subject, attempt_id)
    return ConfirmDeleted(attempt_id) if deleted else None

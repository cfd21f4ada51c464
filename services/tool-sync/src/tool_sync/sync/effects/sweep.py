"""Deleting tools that nobody links: the only step that can break a call, so it looks first and does it last.

SweepStarted ─► GET /assistant, every page ─► linked by anybody: kept, looked at again later
                                           └► made since then ─► ToolDeleteStarted ─► DELETE /tool ─► ToolDeleted

The whole list takes minutes in a large account, and assistants are made with links meanwhile (ADR 35). So right before
each deletion those are listed that were made since the list began, and it is sent soon after that or not at all.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from tool_sync.domain.commands import Command, ConfirmDeleted, FailStep
from tool_sync.domain.events import SurplusDeleteStarted, SweepStarted, ToolDeleteStarted
from tool_sync.domain.plan.steps import DeletionCandidate, SweepTools
from tool_sync.sync.write_guard import WriteGuard
from tool_sync.vapi.documents import mentioned
from tool_sync.vapi.failures import VapiFailure
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.vapi.answers import Meaning


class _LookTooOld(Exception):
    """It was looked too long ago who links the tool."""


async def sweep(guard: WriteGuard, step: SweepTools) -> tuple[Command, ...]:
    """List the assistants of the account, any org's and anybody's, and delete the tools that none of them mentions."""
    ids = frozenset(tool.vapi_tool_id for tool in step.tools)
    if not await guard.writer.write((SweepStarted(tuple(tool.vapi_tool_id for tool in step.tools)),)):
        return ()
    vapi, began_at = guard.context.vapi, guard.context.clock.now()
    linked = await guard.recorded(step.subject, lambda: _mentioned(vapi.assistants(guard.look), ids))
    if linked is None:
        return ()
    for tool in step.tools:
        if tool.vapi_tool_id in linked:
            await guard.writer.write((_in_use(guard, tool),))
        elif command := await _delete(guard, tool, began_at):
            await guard.writer.write((command,))
    return ()


async def _mentioned(assistants: AsyncIterator[object], ids: frozenset[str]) -> frozenset[str]:
    found: set[str] = set()
    async for assistant in assistants:
        found |= mentioned(assistant, ids)
    return frozenset(found)


def _in_use(guard: WriteGuard, tool: DeletionCandidate) -> FailStep:
    later = guard.context.clock.now() + guard.context.policy.sweep_every
    return FailStep(tool.subject, None, "refused", ErrorCode.TOOL_IN_USE, later)


async def _delete(guard: WriteGuard, tool: DeletionCandidate, listed_at: datetime) -> Command | None:
    """Delete a tool unless an assistant was made with it since ``listed_at``, when the list of all of them began."""
    context = guard.context
    # Reckoned with the margin of the lists' lag and of clocks that differ, so that no assistant is in neither list.
    since = context.vapi_time_before(listed_at)
    made_since = context.vapi.assistants(guard.look, since)
    linked = await guard.recorded(tool.subject, lambda: _mentioned(made_since, frozenset((tool.vapi_tool_id,))))
    looked_at = context.clock.monotonic()
    if linked is None:
        return None
    if linked:
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
    except _LookTooOld:  # nothing was sent
        retry_at = guard.retry_at(tool.subject)
        return FailStep(tool.subject, attempt_id, "not_sent", ErrorCode.SEND_WINDOW_MISSED, retry_at)
    return ConfirmDeleted(attempt_id) if deleted else None

"""Deleting tools that nobody links: the only step that can break a call, so it looks first and does it last.

SweepStarted ─► GET /assistant, every page ─► linked by anybody: kept, looked at again later
                                           └► ToolDeleteStarted ─► DELETE /tool ─► ToolDeleted
"""

from dataclasses import replace

from tool_sync.domain.commands import Command, ConfirmDeleted, FailStep
from tool_sync.domain.events import SurplusDeleteStarted, SweepStarted, ToolDeleteStarted
from tool_sync.domain.plan.steps import DeletionCandidate, SweepTools
from tool_sync.sync.write_guard import WriteGuard
from tool_sync.vapi.documents import mentioned
from tool_sync.vapi.failures import VapiFailure
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.vapi.answers import Meaning


async def sweep(guard: WriteGuard, step: SweepTools) -> tuple[Command, ...]:
    """List the assistants of the account, any org's and anybody's, and delete the tools that none of them mentions."""
    ids = frozenset(tool.vapi_tool_id for tool in step.tools)
    if not await guard.writer.write((SweepStarted(tuple(tool.vapi_tool_id for tool in step.tools)),)):
        return ()

    async def find() -> frozenset[str]:
        kept: set[str] = set()
        async for assistant in guard.context.vapi.assistants(guard.look):
            kept |= mentioned(assistant, ids)
        return frozenset(kept)

    linked = await guard.recorded(step.subject, find)
    if linked is None:
        return ()
    for tool in step.tools:
        if tool.vapi_tool_id in linked:
            await guard.writer.write((_in_use(guard, tool),))
        elif command := await _delete(guard, tool):
            await guard.writer.write((command,))
    return ()


def _in_use(guard: WriteGuard, tool: DeletionCandidate) -> FailStep:
    later = guard.context.clock.now() + guard.context.policy.sweep_every
    return FailStep(tool.subject, None, "refused", ErrorCode.TOOL_IN_USE, later)


async def _delete(guard: WriteGuard, tool: DeletionCandidate) -> Command | None:
    context = guard.context
    attempt_id, account = context.new_id(), context.vapi.account
    started: ToolDeleteStarted | SurplusDeleteStarted
    if tool.delete_at is None:
        started = SurplusDeleteStarted(attempt_id, account, tool.name, tool.vapi_tool_id)
    else:
        started = ToolDeleteStarted(attempt_id, account, tool.name, tool.vapi_tool_id, tool.delete_at)

    async def call() -> bool:
        try:
            await context.vapi.delete_tool(tool.vapi_tool_id)
        except VapiFailure as failure:
            if failure.meaning is Meaning.GONE:
                return True  # somebody else deleted it
            if failure.meaning is Meaning.CONFLICT:
                raise replace(failure, code=ErrorCode.TOOL_IN_USE) from failure
            raise
        return True

    deleted = await guard.send(started, tool.subject, call)
    return ConfirmDeleted(attempt_id) if deleted else None

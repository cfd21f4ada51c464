"""One step against Vapi. Each module performs one kind of step and leaves everything it learned in the log."""

from typing import assert_never
from uuid import UUID

from tool_sync.domain.commands import Command
from tool_sync.domain.plan.situation import ObservedLink
from tool_sync.domain.plan.steps import (
    LinkAssistant,
    RegisterTool,
    ResolveAttempt,
    SearchSurplus,
    Step,
    SweepTools,
    UpdateTool,
)
from tool_sync.sync.effects.link import link
from tool_sync.sync.effects.register import register, update
from tool_sync.sync.effects.resolve import resolve
from tool_sync.sync.effects.search import search
from tool_sync.sync.effects.sweep import sweep
from tool_sync.sync.read_ahead import ReadAhead
from tool_sync.sync.write_guard import WriteGuard

__all__ = ["perform"]


async def perform(
    guard: WriteGuard, ahead: ReadAhead, org_id: UUID, step: Step
) -> tuple[ObservedLink | None, tuple[Command, ...]]:
    """Perform a step. Returns what was seen of an assistant, and commands that are still to be written.

    The caller writes them together with the outcome that follows from them. Everything that must be in the log before
    something is sent was written on the way.
    """
    match step:
        case RegisterTool():
            return None, await register(guard, org_id, step)
        case UpdateTool():
            return None, await update(guard, step)
        case ResolveAttempt():
            return None, await resolve(guard, org_id, step)
        case LinkAssistant():
            return await link(guard, ahead, org_id, step)
        case SweepTools():
            return None, await sweep(guard, org_id, step)
        case SearchSurplus():
            return None, await search(guard, org_id, step)
        case _:
            assert_never(step)

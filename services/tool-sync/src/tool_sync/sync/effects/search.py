"""Searching for surplus tools: registrations that were given up as not done may have been done after all."""

from typing import Any
from uuid import UUID

from tool_sync.domain.commands import Command
from tool_sync.domain.events import SurplusFound, SurplusSearched
from tool_sync.domain.plan.steps import SearchSurplus
from tool_sync.sync.write_guard import WriteGuard
from zerotouch_contracts.tools import ToolMarker


async def search(guard: WriteGuard, org_id: UUID, step: SearchSurplus) -> tuple[Command, ...]:
    """``GET /tool`` over the time of those registrations. What the log knows already is noted by nobody twice."""
    context = guard.context
    ours = {ToolMarker(context.blueprint.installation_id, org_id, name) for name in step.names}
    since = context.vapi_time_before(step.since)

    async def find() -> list[dict[str, Any]]:
        return [
            tool async for tool in context.vapi.tools_created_since(since, guard.look) if ToolMarker.of(tool) in ours
        ]

    found = await guard.recorded(step.subject, find)
    if found is None:
        return ()
    noted = (SurplusFound(context.vapi.account, _name(tool), tool["id"], context.made_at(tool)) for tool in found)
    return (*noted, SurplusSearched(step.names, step.through))


def _name(tool: dict[str, Any]) -> str:
    marker = ToolMarker.of(tool)
    assert marker is not None, "only marked tools were kept"
    return marker.name

"""What waited for a clinic's change window, once it is open: all assistants are told, as the feeder tells others.

The feeder passed this clinic by while its window was closed, and may have settled since. An update in place needs
nobody to be told. Once for each order and opening: told again, it is a duplicate.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from tool_sync.domain.events import ToolOrdered
from tool_sync.domain.plan.tools import is_refused, target_of
from tool_sync.domain.subject import tool_subject
from tool_sync.domain.toolset import Toolset
from tool_sync.domain.wanted import Wanted
from tool_sync.log import Duplicate
from tool_sync.sync.context import Context

SOURCE: Final = "/zerotouch/tool-sync/change-window"


def opened(state: Toolset, wanted: Wanted) -> Mapping[str, str | None]:
    """By tool that the clinic is to get or to lose now that its window is open, the order; None: none is left."""
    if wanted.closes_at is None or state.closed:
        return {}
    found: dict[str, str | None] = {
        name: wanted.orders.get(name)
        for name, reason in wanted.unwanted.items()
        if reason == "order" and name in state.tools
    }
    for tool in wanted.tools:
        if tool.order is not None and tool.name not in state.tools and not is_refused(state, tool):
            found[tool.name] = tool.order
    return {
        name: order
        for name, order in found.items()
        if not state.is_open(tool_subject(name)) and (name not in state.begun or state.begun[name].rollout_id != order)
    }


async def tell_opened(context: Context, org_id: UUID, state: Toolset, wanted: Wanted) -> bool:
    """Append what is opened; True where something was new, so that the state is to be read again."""
    orders = opened(state, wanted)
    if not orders:
        return False
    target = target_of(state, wanted.tools)
    _, has_assistants = await context.store.not_as_wanted(org_id, target, (), 1, wanted.none_wanted)
    if not has_assistants:
        return False
    facts = [
        context.fact(org_id, ToolOrdered(name, order), source=SOURCE, cause=f"{name}:{order}:{wanted.closes_at}")
        for name, order in orders.items()
    ]
    answers = await context.log.append_all(facts)
    return any(not isinstance(answer, Duplicate) for answer in answers)

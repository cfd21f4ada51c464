"""Adopting what a restore of the database has lost: a tool that was made after the backup is not made again."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from tool_sync.domain.commands import Command, ConfirmTool
from tool_sync.domain.events import SurplusFound, ToolRegistrationStarted
from tool_sync.domain.plan.steps import RegisterTool
from tool_sync.domain.toolset import Toolset
from tool_sync.sync.context import Context
from tool_sync.sync.lost_tools import Listed
from tool_sync.sync.write_guard import WriteGuard
from tool_sync.vapi.documents import holds_tool, latest_version
from tool_sync.vapi.failures import unless_gone
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import ToolMarker, version_of
from zerotouch_platform.vapi.paging import created_at


async def adopt(
    guard: WriteGuard, org_id: UUID, step: RegisterTool, payload: Mapping[str, Any]
) -> tuple[Command, ...] | None:
    """The oldest tool of this name that the log has lost becomes the org's, the others surplus; None where it has none.

    ``payload`` is what would be sent. Each is read now: it may be gone since it was listed, or be another version than
    is wanted. () where a read failed, and that is in the log.
    """
    context = guard.context
    ids = await context.store.lost_tools(context.vapi.account, org_id, step.tool.name)
    state = guard.state
    unknown = [tool_id for tool_id in ids if tool_id not in state.tool_ids and tool_id not in state.gone]
    if not unknown:
        return None

    async def look() -> dict[str, dict[str, Any] | None]:
        return {one: await unless_gone(guard.look(partial(context.vapi.get_tool, one))) for one in unknown}

    tools = await guard.recorded(step.subject, look)
    if tools is None:
        return ()
    # An assistant may still name one that is gone: as surplus it is taken out there.
    gone = [
        SurplusFound(context.vapi.account, step.tool.name, id_, None) for id_, tool in tools.items() if tool is None
    ]
    marker = ToolMarker(context.blueprint.installation_id, org_id, step.tool.name)
    found = [tool for tool in tools.values() if tool is not None and ToolMarker.of(tool) == marker]
    if found:
        return (*_adopted(guard, step, payload, found), *gone)
    if gone:
        await guard.writer.write(gone)
    return None


def unknown_names(listed: Listed, state: Toolset) -> list[str]:
    """The names of which a tool was listed that the log knows nothing of."""
    known = state.tool_ids | frozenset(state.gone)
    return [name for name, ids in listed.ids.items() if not known.issuperset(ids)]


async def lost_surplus(context: Context, state: Toolset, org_id: UUID, names: Iterable[str]) -> list[SurplusFound]:
    """What the log has lost of tools that the org is not to have: no registration takes it up, so it is swept."""
    account, known = context.vapi.account, state.tool_ids | frozenset(state.gone)
    lost = {name: await context.store.lost_tools(account, org_id, name) for name in names}
    return [SurplusFound(account, name, id_, None) for name, ids in lost.items() for id_ in ids if id_ not in known]


def _adopted(
    guard: WriteGuard, step: RegisterTool, payload: Mapping[str, Any], found: list[dict[str, Any]]
) -> tuple[Command, ...]:
    context, tool, (oldest, *others) = guard.context, step.tool, found
    is_wanted, answer_hash = holds_tool(oldest, payload), canonical_hash(oldest)
    # Of another definition: its own version, and a hash that none has. So it is updated next, and keeps its id.
    version, definition_hash = (
        (tool.definition_version, tool.definition_hash) if is_wanted else (version_of(oldest), answer_hash)
    )
    started = ToolRegistrationStarted(
        context.new_id(),
        context.vapi.account,
        tool.name,
        version,
        definition_hash,
        tool.order,
        guard.fleet.position,
        note=tool.note if is_wanted else "",
        overlay=tool.overlay if is_wanted else (),
    )
    confirmed = ConfirmTool(
        started.attempt_id,
        oldest["id"],
        answer_hash,
        adopted=True,
        vapi_version=latest_version(oldest) if is_wanted else None,
    )
    surplus = (SurplusFound(context.vapi.account, tool.name, each["id"], created_at(each)) for each in others)
    return (started, confirmed, *surplus)

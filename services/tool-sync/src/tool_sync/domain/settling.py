"""Outcomes: what ends open requests, and the numbers of what is published.

An org's published events are numbered without a gap, so the numbers are drawn here, from the state that the append
expects: two workers that draw the same number cannot both append.
"""

from collections.abc import Sequence

from tool_sync.domain.commands import SettleFailed, SettleSynced
from tool_sync.domain.events import AssistantSynced, AssistantSyncFailed, Settled, ToolsetEvent
from tool_sync.domain.toolset import UNREADABLE, Request, Toolset

REQUESTS_PER_EVENT_MAX = 100


def _chunks(state: Toolset, agent_id: str | None, through: int) -> Sequence[Sequence[Request]]:
    """The agent's open requests up to a position, at most 100 a piece, in position order."""
    # Up to what was seen and no further: a save that arrived since then may have replaced the model, links and all.
    requests = [r for r in state.open_requests.get(agent_id or UNREADABLE, ()) if r.position <= through]
    return [requests[i : i + REQUESTS_PER_EVENT_MAX] for i in range(0, len(requests), REQUESTS_PER_EVENT_MAX)]


def _named(requests: Sequence[Request]) -> tuple[Settled, ...]:
    return tuple(Settled(r.asked.request_id, r.asked.trace_id) for r in requests)


def settle_synced(state: Toolset, command: SettleSynced) -> tuple[ToolsetEvent, ...]:
    chunks = _chunks(state, command.agent_id, command.through)
    # Where nothing is new to tell it is in the log, as a look ends here, and no subscriber hears of it.
    is_told = bool(chunks) or command.changed
    return tuple(
        AssistantSynced(
            agent_id=command.agent_id,
            assistant_id=command.assistant_id,
            revision=command.revision,
            account=command.account,
            tools=command.tools,
            requests=_named(chunk),
            settled_through=chunk[-1].position if chunk else command.through,
            cause=None if chunk else command.cause,
            sequence=state.sequence + number if is_told else None,
            reason=command.reason,
        )
        for number, chunk in enumerate(chunks or ((),), 1)
    )


def settle_failed(state: Toolset, command: SettleFailed) -> tuple[ToolsetEvent, ...]:
    unasked: Sequence[Sequence[Request]] = ((),) if command.cause is not None else ()
    return tuple(
        AssistantSyncFailed(
            agent_id=command.agent_id,
            assistant_id=command.assistant_id,
            revision=command.revision,
            account=command.account,
            tools=command.tools,
            failed_tools=command.failed_tools,
            code=command.code,
            requests=_named(chunk),
            settled_through=chunk[-1].position if chunk else command.through,
            look_at=command.look_at,
            sequence=state.sequence + number,
            cause=None if chunk else command.cause,
        )
        for number, chunk in enumerate(_chunks(state, command.agent_id, command.through) or unasked, 1)
    )

"""The newest turns of assistants: when each was saved, how its syncs ended, when it was deleted. As of a position.

The walk goes back from the position along the org's events, so it costs what lies between: at most ``TURNS_MAX`` turns
are read, and what is older is not known here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain.events import ToolRef

TURNS_MAX: Final = 400

_TURNS: Final = """
SELECT data ->> 'agent_id' AS agent_id, recorded_at, type, data ->> 'assistant_id' AS assistant_id,
       coalesce(data -> 'tools', '[]') AS tools, coalesce(data ->> 'code', data ->> 'reason') AS code
  FROM events
 WHERE org_id = $1 AND position <= $2 AND data ->> 'agent_id' = ANY ($3::text[])
   AND type IN ('SyncRequested', 'AssistantRemoved', 'AssistantSynced', 'AssistantSyncFailed')
 ORDER BY position DESC
 LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class AssistantTurn:
    """One turn. ``code`` of an outcome: why it failed, or why no tool was wanted."""

    recorded_at: datetime
    type: str
    assistant_id: str | None
    tools: tuple[ToolRef, ...]
    code: str | None

    @property
    def result(self) -> str | None:
        """``synced`` or ``failed``, as a row of ``assistants`` says it; None for what is no outcome."""
        return {"AssistantSynced": "synced", "AssistantSyncFailed": "failed"}.get(self.type)

    @property
    def ids(self) -> Mapping[str, str]:
        """The tools' ids at Vapi, by name."""
        return {ref.name: ref.vapi_tool_id for ref in self.tools}


@dataclass(frozen=True, slots=True)
class Since:
    """When something began; ``is_older``: it was so before that, too, for longer than was looked back."""

    at: datetime
    is_older: bool


@dataclass(frozen=True, slots=True)
class Turns:
    """Of one assistant, in its life of now: turns before its deletion are of a life before, unless it is deleted now.

    ``outcome`` is its newest, ``since`` when the first of those in a row came that say the same. ``saved_at``: of its
    newest save. ``removed_at``: null where it is there.
    """

    outcome: AssistantTurn | None = None
    since: Since | None = None
    saved_at: datetime | None = None
    removed_at: datetime | None = None


async def turns_of(
    connection: Connection, org_id: UUID, agents: Sequence[str], through: int, limit: int = TURNS_MAX
) -> Mapping[str, Turns]:
    """By agent, as of position ``through``; every agent that was asked for is in it."""
    rows = await connection.fetch(_TURNS, org_id, through, list(agents), limit)
    found: dict[str, list[AssistantTurn]] = {agent: [] for agent in agents}
    for row in rows:
        refs = tuple(ToolRef(**ref) for ref in row["tools"]) if row["type"].startswith("AssistantSync") else ()
        turn = AssistantTurn(row["recorded_at"], row["type"], row["assistant_id"], refs, row["code"])
        found[row["agent_id"]].append(turn)
    return {agent: told(turns, is_cut=len(rows) == limit) for agent, turns in found.items()}


def told(newest_first: Iterable[AssistantTurn], *, is_cut: bool) -> Turns:
    """What these turns say; ``is_cut``: there may be older ones."""
    life: list[AssistantTurn] = []
    removed_at = None
    for turn in newest_first:
        if turn.type == "AssistantRemoved":
            if any(one.type == "SyncRequested" for one in life):
                is_cut = False
                break
            removed_at = removed_at or turn.recorded_at
        else:
            life.append(turn)
    outcomes = [turn for turn in life if turn.result]
    saves = [turn.recorded_at for turn in life if turn.type == "SyncRequested"]
    return Turns(
        outcomes[0] if outcomes else None, _since(outcomes, is_cut=is_cut), saves[0] if saves else None, removed_at
    )


def _since(outcomes: Sequence[AssistantTurn], *, is_cut: bool) -> Since | None:
    """Of the first in a row that says the same as the newest."""
    if not outcomes:
        return None
    newest = outcomes[0]
    for later, earlier in pairwise(outcomes):
        if (earlier.type, earlier.code, earlier.ids) != (newest.type, newest.code, newest.ids):
            return Since(later.recorded_at, is_older=False)
    return Since(outcomes[-1].recorded_at, is_older=is_cut)

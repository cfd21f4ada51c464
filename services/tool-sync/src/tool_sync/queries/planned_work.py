"""How many clinics a rollout was planned to change: what a bar is measured by."""

from collections.abc import Collection, Mapping
from typing import Final

from tool_sync.db import Connection

_PLANNED: Final = """
SELECT stream, (data -> 'counts' ->> 'update')::int AS updates, (data -> 'counts' ->> 'add')::int AS adds,
       (data -> 'counts' ->> 'remove')::int AS removes
  FROM events WHERE stream = ANY ($1) AND version = 1 AND type = 'RolloutPlanned'
"""


async def planned_work(connection: Connection, rollout_ids: Collection[str]) -> Mapping[str, int]:
    """By rollout; an order that a new log begins with was never planned, and is not in it."""
    rows = await connection.fetch(_PLANNED, [f"rollout-{one}" for one in rollout_ids])
    return {row["stream"].removeprefix("rollout-"): row["updates"] + row["adds"] + row["removes"] for row in rows}

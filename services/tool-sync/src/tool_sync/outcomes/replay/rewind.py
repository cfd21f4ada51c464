"""``relay rewind``: a topic's relay begins again at a position, so that a topic that was lost is filled anew."""

from typing import Final

from tool_sync.db import Connection
from tool_sync.log.head import read_head
from tool_sync.outcomes.published import OUTCOMES, PublishedTopic
from tool_sync.outcomes.replay.replay import CannotReplay
from zerotouch_platform.kafka.reading import is_empty

# A relay that runs finds its cursor moved at its next step, resigns, and begins there.
_MOVE: Final = """
INSERT INTO cursors AS c (name, position) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET position = excluded.position
RETURNING c.position
"""
_READ: Final = "SELECT position FROM cursors WHERE name = $1"


async def rewind(
    connection: Connection,
    bootstrap_servers: str,
    topic: str,
    position: int,
    published: PublishedTopic = OUTCOMES,
) -> int:
    """Make the relay go on after ``position``; returns where it was. Raises `CannotReplay` and changes nothing else.

    Only where the topic is empty: on one that holds records, old outcomes would follow newer ones.
    """
    head = await read_head(connection)
    if not 0 <= position <= head:
        raise CannotReplay(f"position {position} is not in the log, which goes from 0 to {head}")
    if not await is_empty(bootstrap_servers, topic):
        raise CannotReplay(
            f"{topic} already holds records: rewind fills only an empty one; replay sends events to another one"
        )
    before: int = await connection.fetchval(_READ, published.cursor) or 0
    await connection.execute(_MOVE, published.cursor, position)
    return before

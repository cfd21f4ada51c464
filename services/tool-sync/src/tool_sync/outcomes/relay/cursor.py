"""How far the log is published: a row that only the leader moves, on the session that holds its lock.

To lose the lock and to lose the ability to move the cursor are one event. What a process that hung still sends late is
a repeat with a lower ``sequence``, which subscribers ignore.
"""

from typing import Final

from zerotouch_platform.postgres.leader import Candidate, LeadershipLost

CURSOR: Final = "outcomes-relay"

_ENSURE_CURSOR: Final = "INSERT INTO cursors (name, position) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING"
_READ_CURSOR: Final = "SELECT position FROM cursors WHERE name = $1"
_ADVANCE_CURSOR: Final = "UPDATE cursors SET position = $2 WHERE name = $1 AND position = $3 RETURNING position"


async def read(leader: Candidate) -> int:
    """The position up to which everything is published."""
    await leader.fetchval(_ENSURE_CURSOR, CURSOR)
    position = await leader.fetchval(_READ_CURSOR, CURSOR)
    assert isinstance(position, int)
    return position


async def advance(leader: Candidate, *, old: int, new: int) -> None:
    """Move the cursor; raises :class:`LeadershipLost` where it is not at ``old``."""
    if await leader.fetchval(_ADVANCE_CURSOR, CURSOR, new, old) is None:
        raise LeadershipLost(f"cursor {CURSOR}: not at {old} any more, another relay leads; resigning")

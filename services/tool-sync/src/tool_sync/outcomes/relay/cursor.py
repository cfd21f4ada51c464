"""How far the log is published on a topic: a row that only the leader moves, on the session that holds its lock.

To lose the lock and to lose the ability to move the cursor are one event. What a process that hung still sends late is
a repeat with a lower ``sequence``, which subscribers ignore.
"""

from typing import Final

from tool_sync.log.head import HEAD
from zerotouch_platform.postgres.leader import Candidate, LeadershipLost

# The log's head along with it: a look that finds nothing is one statement, and touches the leader's session, too.
_READ_CURSOR: Final = f"SELECT ARRAY[position, ({HEAD})] FROM cursors WHERE name = $1"  # noqa: S608 - constants
_ENSURE_CURSOR: Final = "INSERT INTO cursors (name, position) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING"
_ADVANCE_CURSOR: Final = "UPDATE cursors SET position = $2 WHERE name = $1 AND position = $3 RETURNING position"


async def read(leader: Candidate, name: str) -> tuple[int, int]:
    """The position up to which everything is published, and the newest one of the log.

    Read at every look, as `relay rewind` moves the cursor under a relay that leads.
    """
    found = await leader.fetchval(_READ_CURSOR, name)
    if found is None:
        await leader.fetchval(_ENSURE_CURSOR, name)
        found = await leader.fetchval(_READ_CURSOR, name)
    assert isinstance(found, list)
    position, head = found
    return position, head


async def advance(leader: Candidate, name: str, *, old: int, new: int) -> None:
    """Move the cursor; raises :class:`LeadershipLost` where it is not at ``old``."""
    if await leader.fetchval(_ADVANCE_CURSOR, name, new, old) is None:
        raise LeadershipLost(f"cursor {name}: not at {old} any more, another relay leads; resigning")

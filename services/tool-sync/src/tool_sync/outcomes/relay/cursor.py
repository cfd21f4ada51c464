"""How far the log is published: a row that only the leader moves, on the session that holds its lock.

To lose the lock and to lose the ability to move the cursor are one event. What a process that hung still sends late is
a repeat with a lower ``sequence``, which subscribers ignore.
"""

from typing import Final, NamedTuple

from tool_sync.log.head import HEAD
from zerotouch_platform.postgres.leader import Candidate, LeadershipLost

CURSOR: Final = "outcomes-relay"

# The log's head along with it: a look that finds nothing is one statement, and touches the leader's session, too.
_READ_CURSOR: Final = f"SELECT ARRAY[position, ({HEAD})] FROM cursors WHERE name = $1"  # noqa: S608 - constants
_ENSURE_CURSOR: Final = "INSERT INTO cursors (name, position) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING"
_ADVANCE_CURSOR: Final = "UPDATE cursors SET position = $2 WHERE name = $1 AND position = $3 RETURNING position"


class Progress(NamedTuple):
    """The position up to which everything is published, and the newest one of the log."""

    position: int
    head: int


async def read(leader: Candidate) -> Progress:
    """How far it is published. Read at every look, as `relay rewind` moves the cursor under a relay that leads."""
    found = await leader.fetchval(_READ_CURSOR, CURSOR)
    if found is None:
        await leader.fetchval(_ENSURE_CURSOR, CURSOR)
        found = await leader.fetchval(_READ_CURSOR, CURSOR)
    assert isinstance(found, list)
    return Progress(*found)


async def advance(leader: Candidate, *, old: int, new: int) -> None:
    """Move the cursor; raises :class:`LeadershipLost` where it is not at ``old``."""
    if await leader.fetchval(_ADVANCE_CURSOR, CURSOR, new, old) is None:
        raise LeadershipLost(f"cursor {CURSOR}: not at {old} any more, another relay leads; resigning")

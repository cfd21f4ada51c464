"""A version was ordered whose answer the model never hears: prompts that say otherwise are marked to be looked at.

    published_tools.walk_due ──► outcomes with the tool, a page at a time ──► outcomes.tools_lost_at

An update in place is told to nobody, so from the order on any clinic may have such a version. The mark is that of a
tool that was lost: whoever looks (`provisioner/blocks`) writes only what came to differ. The other way round nothing is
marked: what is said of a version that may not answer is true of one that does, and the next save says it better.
"""

from typing import Final

from assistant_api.db import Database

OUTCOMES_MAX: Final = 500
"""Looked at in one transaction, and locked for as long."""

_DUE: Final = """
SELECT tool, walked_org, walked_agent FROM published_tools WHERE walk_due ORDER BY tool LIMIT 1
FOR NO KEY UPDATE SKIP LOCKED
"""
# In the order in which everybody takes several, so that nobody waits for each other.
_MARK: Final = """
WITH page AS (
    SELECT org_id, agent_id FROM outcomes
    WHERE $2::uuid IS NULL OR (org_id, agent_id) > ($2, $3::text)
    ORDER BY org_id, agent_id LIMIT $4 FOR NO KEY UPDATE
), marked AS (
    UPDATE outcomes o SET tools_lost_at = coalesce(o.tools_lost_at, now())
    FROM page p WHERE o.org_id = p.org_id AND o.agent_id = p.agent_id AND $1 = ANY (o.tools)
)
SELECT org_id, agent_id, count(*) OVER () AS looked_at FROM page ORDER BY org_id DESC, agent_id DESC LIMIT 1
"""
_GO_ON: Final = "UPDATE published_tools SET walked_org = $2, walked_agent = $3 WHERE tool = $1"
_END: Final = """
UPDATE published_tools SET walk_due = false, walked_org = NULL, walked_agent = NULL WHERE tool = $1
"""


class Marking:
    """One page at a time, whichever replica does it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run_once(self) -> bool:
        """Mark a page; whether there may be another one."""
        async with self._database.transaction() as connection:
            due = await connection.fetchrow(_DUE)
            if due is None:  # or another replica is at it
                return False
            tool = due["tool"]
            last = await connection.fetchrow(_MARK, tool, due["walked_org"], due["walked_agent"], OUTCOMES_MAX)
            if last is not None and last["looked_at"] == OUTCOMES_MAX:
                await connection.execute(_GO_ON, tool, last["org_id"], last["agent_id"])
            else:
                await connection.execute(_END, tool)
        return True

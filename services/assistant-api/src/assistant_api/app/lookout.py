"""One look for all loops: what is due that nobody here put in, by another replica, by plain SQL or by the clock.

    look ──every 0.25 s, one statement──► due: wakes provisioner, remover, or the relay that leads

What this process puts in wakes its loops at once. A NOTIFY from triggers would be quicker than the look and is not
used: it makes commits wait for each other, so saves that arrive together would no longer share their fsyncs.
"""

# ruff: noqa: S608 - the statement is put together from constants

from collections.abc import Callable
from typing import Final, NamedTuple

from assistant_api.db import Database
from assistant_api.provisioner.claim import BULK_IS_DUE, SAVE_IS_DUE
from assistant_api.removals.store import IS_DUE as REMOVAL_IS_DUE

# Ordered as the claims are, so that their indexes are walked: an EXISTS may scan a table in which nothing is due.
_LOOK: Final = f"""
SELECT coalesce((SELECT true FROM agents WHERE {SAVE_IS_DUE} ORDER BY org_id, next_due LIMIT 1),
                (SELECT true FROM agents WHERE {BULK_IS_DUE} ORDER BY org_id, next_due LIMIT 1)) AS agents,
       (SELECT true FROM removals r WHERE {REMOVAL_IS_DUE} ORDER BY next_due LIMIT 1) AS removals,
       (SELECT true FROM outbox ORDER BY id LIMIT 1) AS outbox
"""


class Wakes(NamedTuple):
    """Who is woken. ``relay`` only while ``relay_leads``: one that stands by would try to lead at each look."""

    provisioner: Callable[[], None]
    remover: Callable[[], None]
    relay: Callable[[], None]
    relay_leads: Callable[[], bool]


class Lookout:
    """Looks, and wakes whose work is due. A loop that cannot take it now is woken at the next look again."""

    def __init__(self, database: Database, wakes: Wakes, *, settle_seconds: float) -> None:
        self._database, self._wakes, self._settle_seconds = database, wakes, settle_seconds

    async def run_once(self) -> None:
        """Look once."""
        async with self._database.connection() as connection:
            found = await connection.fetchrow(_LOOK, self._settle_seconds)
        assert found is not None, "a SELECT without FROM has one row"
        if found["agents"]:
            self._wakes.provisioner()
        if found["removals"]:
            self._wakes.remover()
        if found["outbox"] and self._wakes.relay_leads():
            self._wakes.relay()

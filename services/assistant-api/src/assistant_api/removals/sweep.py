"""Looks once more for assistants that creations without an answer made after all, long after anybody waited for them.

An attempt is closed after the settle time, adopted or not found. A sender that slept, or a Vapi that took a minute, can
still land it: then the agent has two, of which nobody calls the second. When the attempt is `surplus_age_seconds` old,
what this very attempt made and is not the agent's becomes a row of `removals`. One list serves all of an account.

Nothing here is fenced: repeated, or done by two replicas at once, it writes the same rows, and a removal looks again
at who has its assistant before it deletes it.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import structlog

from assistant_api.db import Connection, Database
from assistant_api.document import AgentMarker, was_made_by
from assistant_api.removals.store import MADE
from assistant_api.settings import Settings
from assistant_api.vapi.accounts import Accounts
from assistant_api.vapi.answers import Later
from assistant_api.vapi.orphan_lookup import ByMark, oldest
from zerotouch_platform.loops import Wake

ROWS_MAX: Final = 10_000
LOOKS_PER_AGE: Final = 4
"""So many looks in the time after which an attempt is due: each finds several, and none waits much longer."""

_DUE: Final = """
SELECT attempt_id, org_id, agent_id, vapi_account, extract(epoch FROM now() - attempt_at)::float8 AS age_seconds
FROM unanswered_creations WHERE attempt_at <= now() - make_interval(secs => $1) ORDER BY attempt_at LIMIT $2
"""
_DONE: Final = "DELETE FROM unanswered_creations WHERE attempt_id = ANY($1::uuid[])"

_log: Final = structlog.get_logger()


class Sweep:
    """``removals`` is woken when it has something to do."""

    def __init__(self, accounts: Accounts, database: Database, settings: Settings, removals: Wake) -> None:
        self._accounts, self._database, self._settings, self._removals = accounts, database, settings, removals

    async def run_once(self) -> int:
        """Look for what the attempts that are due made after all; how many assistants have to go."""
        async with self._database.connection() as connection:
            due = await connection.fetch(_DUE, self._settings.surplus_age_seconds, ROWS_MAX)
        by_account: defaultdict[str, list[Any]] = defaultdict(list)
        for row in due:
            by_account[row["vapi_account"] if self._accounts.is_own(row["vapi_account"]) else ""].append(row)
        return sum([await self._sweep(rows) for rows in by_account.values()])

    async def _sweep(self, due: Sequence[Any]) -> int:
        """The same for those of one account, the oldest first."""
        async with self._accounts.of(due[0]["org_id"], due[0]["vapi_account"]) as at:
            found = at if isinstance(at, Later) else await at.lost.made_since(due[0]["age_seconds"])
        if isinstance(found, Later):
            _log.warning("sweep_postponed", code=found.code.value)
            return 0
        async with self._database.transaction() as connection:
            gone = await self._remove(connection, due, found)
            await connection.execute(_DONE, [row["attempt_id"] for row in due])
        if gone:
            _log.warning("surplus_assistants_found", count=gone)
            self._removals()
        return gone

    async def _remove(self, connection: Connection, due: Sequence[Any], found: ByMark) -> int:
        gone = 0
        for attempt in due:
            key = (attempt["org_id"], attempt["agent_id"])
            carriers = found.get(AgentMarker(self._settings.installation_id, *key), ())
            made = oldest(item for item in carriers if was_made_by(item, attempt["attempt_id"]))  # others are copies
            if made is not None:
                stored = await connection.execute(MADE, *key, attempt["vapi_account"], str(made["id"]))
                gone += stored == "INSERT 0 1"
        return gone

"""A database that was set back has patients again who were erased: the list says whom, and they go before it is read.

start ─► nobody reads patients over HTTP ─► the list is read ─► what has no receipt here is erased again ─► reads
                                              ▲                                                              │
                                              └───── every quarter of an hour, as a replica may take over ◄──┘

Until the list was read once, it is not known whether something has to go: then reads of patients answer 503. Saves,
tool calls and erasures go on. An erasure whose key is not known here leaves it so, as nobody can say whom it means.
"""

from typing import Final

import structlog

from assistant_api.access_log.entry import Who
from assistant_api.db import DATABASE_AWAY, Database
from assistant_api.erasures.again import by_clinic, by_key, erase_again, find_again, read_list, unknown_to
from assistant_api.erasures.hashes import keys_of_settings
from assistant_api.settings import Settings
from zerotouch_platform.health import Health
from zerotouch_platform.kafka.topics import KAFKA_AWAY
from zerotouch_platform.loops import Wake

AWAY: Final = (*KAFKA_AWAY, *DATABASE_AWAY)
PART: Final = "erasures"
PRINCIPAL: Final = "assistant-api"
NOT_READ: Final = "the list of erased patients was not read yet; until then nobody reads patients"

_log: Final = structlog.get_logger()


class ErasureGuard:
    """``reads_suspended``: patients are not to be read now. ``wake_deletions``: phone calls are to go at Vapi."""

    def __init__(self, settings: Settings, database: Database, health: Health, wake_deletions: Wake) -> None:
        self._settings, self._database, self._health = settings, database, health
        self._wake_deletions = wake_deletions
        self.reads_suspended = False

    def suspend_reads(self) -> None:
        """Before the port is opened: what the database is nobody knows yet."""
        self.reads_suspended = True
        self._health.fails(PART, NOT_READ)

    def pause_seconds(self) -> float:
        """Until the next look: soon while reads wait for it."""
        settings = self._settings
        return settings.reconnect_seconds_max if self.reads_suspended else settings.erasures_look_seconds

    async def run_once(self) -> int:
        """Read the list, and erase again what it has and the database has not; how many erasures that were.

        Raises one of :data:`AWAY`. May be ended at any time, and run by several processes at once.
        """
        listed = await read_list(self._settings)
        keys = keys_of_settings(self._settings)
        async with self._database.connection() as connection:
            unknown = await unknown_to(connection, listed.erasures, self._settings.erasures_keep_days)
        due, lacking = by_key(unknown, keys)
        for org_id, erasures in by_clinic(due).items():
            async with self._database.transaction() as connection:
                found = await find_again(connection, org_id, erasures, keys)
                for one in erasures:
                    who = Who(PRINCIPAL, "service")
                    await erase_again(connection, one, found.get(one.erasure_id, ()), self._settings, who)
            self._wake_deletions()
        if lacking:
            self._lack(sorted({one.key_id for one in lacking}), len(lacking))
        else:
            self.reads_suspended = False
            self._health.works(PART)
        return len(due)

    def _lack(self, key_ids: list[str], count: int) -> None:
        reason = (
            f"{count} erasures have to be applied again and have the keys {', '.join(key_ids)}, which are not in"
            " ERASURE_KEYS; until then nobody reads patients"
        )
        if self._health.reasons().get(PART) != reason:
            _log.error("erasure_key_lacking", reason=reason, alarm=True)
        self.reads_suspended = True
        self._health.fails(PART, reason)

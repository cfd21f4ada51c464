"""Is `display-names.v1` as the rows are? Compared every few hours by one process; what differs goes through the outbox.

    topic ─► newest record of each key ─┐
    organizations, agents ──────────────┴─► outbox: names that the topic lacks, and the end of those that nobody has

Triggers say each change when it happens. What they cannot know comes from here: clinics that were there before the
topic was, names that a restored database does not know any more, rows that went without their triggers, a topic that
was made again, and a late record of a relay that leads no more, which may have brought back a name that was deleted.
`vapi-accounts.v1` is compared at the same time (`accounts.py`).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import structlog

from assistant_api.db import Database
from assistant_api.relay.accounts import AccountComparison
from assistant_api.restore.guard import TopicGuard
from assistant_api.settings import Settings
from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_contracts.names import Named, named_by, read_name
from zerotouch_platform.cooperative import ITEMS_AT_ONCE, yielding_every
from zerotouch_platform.kafka.compacted import compacted

LOOK_SECONDS: Final = 5.0
"""Between looks whether a comparison is due."""
LEASE_MINUTES: Final = 15
"""So long after one has begun another process begins it again: the first may have died."""
ROWS_MAX: Final = 500
"""Compared, and said, at a time: saves do not wait behind a hundred thousand names."""
OUTBOX_SECONDS_MAX: Final = 60.0
DRAIN_SECONDS: Final = 0.2

_DUE: Final = "SELECT due_at <= now() FROM name_checks"
_TAKE: Final = """
UPDATE name_checks SET due_at = now() + make_interval(mins => $1) WHERE due_at <= now() RETURNING true
"""
_DONE: Final = "UPDATE name_checks SET due_at = now() + make_interval(hours => $1)"
_ORGANIZATIONS: Final = """
SELECT id AS org_id, NULL AS agent_id, name FROM organizations WHERE id > $1 AND $2::text = '' ORDER BY id LIMIT $3
"""
_AGENTS: Final = """
SELECT org_id, id AS agent_id, name FROM agents WHERE (org_id, id) > ($1, $2) ORDER BY org_id, id LIMIT $3
"""
# Locked, so that of one key the outbox keeps the order in which its names came true.
_SAY_ORGANIZATIONS: Final = """
SELECT say_name(o.id, '', o.name, o.revision)
FROM (SELECT id, name, revision FROM organizations WHERE id = ANY ($1::uuid[]) ORDER BY id FOR SHARE) o
"""
_SAY_AGENTS: Final = """
SELECT say_name(a.org_id, a.id, a.name, a.saved_revision)
FROM (SELECT org_id, id, name, saved_revision FROM agents
      WHERE (org_id, id) IN (SELECT * FROM unnest($1::uuid[], $2::text[])) ORDER BY org_id, id FOR SHARE) a
"""
# There is no row to lock: whoever is made anew at this moment may come before its own end, until the next comparison.
_SAY_NONE: Final = """
SELECT say_name(g.org_id, g.agent_id, NULL, 0) FROM unnest($1::uuid[], $2::text[]) AS g(org_id, agent_id)
WHERE NOT EXISTS (SELECT FROM organizations o WHERE g.agent_id = '' AND o.id = g.org_id)
  AND NOT EXISTS (SELECT FROM agents a WHERE a.org_id = g.org_id AND a.id = g.agent_id)
"""
_WAITING: Final = "SELECT count(*) FROM (SELECT FROM outbox LIMIT $1) waiting"
_FIRST: Final = UUID(int=0)

_log: Final = structlog.get_logger()


class OutboxNotSent(Exception):
    """The outbox does not get shorter; names wait."""


class NameCheck:
    """Compares, where it is due and no other process is at it."""

    def __init__(
        self, settings: Settings, database: Database, guard: TopicGuard, wake_relay: Callable[[], None]
    ) -> None:
        self._settings, self._database, self._guard, self._wake_relay = settings, database, guard, wake_relay
        self._accounts = AccountComparison(settings, database)

    async def run_once(self) -> int:
        """Compare, where it is due; how many names, accounts, and ends of both, were put into the outbox.

        Raises `TopicAhead`, :class:`OutboxNotSent`, and what Kafka's and the database's absence raise; then it is tried
        again later.
        """
        async with self._database.connection() as connection:
            if not await connection.fetchval(_DUE):
                return 0
        # Rows of a backup, before anybody has begun again, would end the names of clinics that live.
        await self._guard.require_not_ahead()
        async with self._database.connection() as connection:
            if not await connection.fetchval(_TAKE, LEASE_MINUTES):
                return 0
        said = await self._said()
        told = await self._compare(_ORGANIZATIONS, said) + await self._compare(_AGENTS, said)
        told += await self._end(said)
        accounts = await self._accounts.run_once()
        async with self._database.connection() as connection:
            await connection.execute(_DONE, self._settings.name_check_hours)
        if told:
            _log.info("names_said_again", names=told)
        if accounts:
            _log.warning("vapi_accounts_said_again", accounts=accounts)
            self._wake_relay()
        return told + accounts

    async def _said(self) -> dict[bytes, int | None]:
        """By key, a hash of the name that the topic has; None: what it has is no name of ours.

        A hundred thousand names take about 20 MB for as long as this runs.
        """
        said: dict[bytes, int | None] = {}
        unreadable = 0
        servers, topic = self._settings.kafka_bootstrap_servers, self._settings.display_names_topic
        async with compacted(servers, topic, "assistant-api names") as reading:
            async for newest in reading.partitions():
                async for key, record in yielding_every(ITEMS_AT_ONCE, list(newest.items())):
                    try:
                        read = read_name(key, record.value, record.headers)
                    except UndecodableRecord:
                        unreadable += 1
                        if key is not None and record.value is not None and _is_named(key):
                            said[key] = None
                    else:
                        if read.message is not None:
                            said[read.named.key] = hash(read.message.name)
        if unreadable:
            _log.error("names_unreadable", topic=topic, records=unreadable)
        return said

    async def _compare(self, statement: str, said: dict[bytes, int | None]) -> int:
        """Say what the topic lacks of one table. What it has of rows is taken out of ``said``."""
        after: tuple[UUID, str] | None = (_FIRST, "")
        told = 0
        while after is not None:
            async with self._database.connection() as connection:
                rows = await connection.fetch(statement, *after, ROWS_MAX)
            lacking = [
                named
                for named, name in ((Named(row["org_id"], row["agent_id"]), row["name"]) for row in rows)
                if said.pop(named.key, None) != hash(name)
            ]
            told += await self._say(lacking, _SAY_ORGANIZATIONS if statement is _ORGANIZATIONS else _SAY_AGENTS)
            after = None
            if len(rows) == ROWS_MAX:
                after = rows[-1]["org_id"], rows[-1]["agent_id"] or ""
        return told

    async def _end(self, said: Iterable[bytes]) -> int:
        """Say that nobody has the names that are left over."""
        left = [named_by(key) for key in said]
        told = 0
        for first in range(0, len(left), ROWS_MAX):
            told += await self._say(left[first : first + ROWS_MAX], _SAY_NONE)
        return told

    async def _say(self, named: Sequence[Named], statement: str) -> int:
        if not named:
            return 0
        await self._drained()
        ids: list[Any] = [[one.org_id for one in named]]
        if statement is not _SAY_ORGANIZATIONS:
            ids.append([one.agent_id or "" for one in named])
        async with self._database.connection() as connection:
            told = len(await connection.fetch(statement, *ids))
        self._wake_relay()
        return told

    async def _drained(self) -> None:
        """Wait until the outbox is short. Raises :class:`OutboxNotSent`."""
        try:
            async with asyncio.timeout(OUTBOX_SECONDS_MAX):
                while True:
                    async with self._database.connection() as connection:
                        waiting = await connection.fetchval(_WAITING, ROWS_MAX)
                    if waiting < ROWS_MAX:
                        return
                    await asyncio.sleep(DRAIN_SECONDS)
        except TimeoutError:
            raise OutboxNotSent(f"{ROWS_MAX} messages or more have waited for {OUTBOX_SECONDS_MAX:g} s") from None


def _is_named(key: bytes) -> bool:
    try:
        named_by(key)
    except UndecodableRecord:
        return False
    return True

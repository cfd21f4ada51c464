"""The rows of one key: ``vapi_keys`` (is it paused), ``key_pauses`` (when it was) and ``key_minutes`` (its requests).

Leases that wait for the key are moved with it, past any that somebody holds at the moment: whoever holds one reads the
key by himself, and so nothing here waits for a lock of a lease.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tool_sync.db import Pool
from tool_sync.domain.pauses import Pause

PAUSES_KEPT: Final = timedelta(hours=24)
GAP: Final = timedelta(seconds=5)
"""A pause that begins so soon after another is the same one: in between a probe failed."""
MINUTES_KEPT: Final = 24 * 60

UNUSABLE: Final = "unusable"
"""The reason of a pause in which nothing is sent as nobody knows with what, and not for an answer of Vapi's."""

OPEN: Final = """
WITH woken AS (
    UPDATE leases SET next_due = clock_timestamp(), waits_for_key = NULL
     WHERE org_id IN (SELECT org_id FROM leases
                       WHERE waits_for_key <> $1
                         AND (SELECT o.account FROM vapi_keys o WHERE o.key = waits_for_key)
                             IS NOT DISTINCT FROM $2::text
                       ORDER BY org_id FOR UPDATE SKIP LOCKED)
    RETURNING org_id
)
INSERT INTO vapi_keys AS k (key, account, lifted_at, opened_at)
SELECT $1, $2::text, CASE WHEN EXISTS (SELECT FROM woken) THEN clock_timestamp() END, clock_timestamp()
ON CONFLICT (key) DO UPDATE
   SET account = excluded.account, lifted_at = coalesce(excluded.lifted_at, k.lifted_at), opened_at = excluded.opened_at
"""

# What a process that cannot open a sealed key has written of it holds up nobody who can.
READ: Final = f"""
WITH ours AS (
    SELECT since, until FROM key_pauses p
     WHERE until > $2
       AND (key = $1 OR (SELECT o.account FROM vapi_keys o WHERE o.key = p.key) IS NOT DISTINCT FROM $3::text)
)
SELECT CASE WHEN pause_reason IS DISTINCT FROM '{UNUSABLE}' THEN paused_until END AS paused_until,
       half_open, probe_until, openings, lifted_at,
       ARRAY(SELECT since FROM ours ORDER BY since, until) AS since,
       ARRAY(SELECT until FROM ours ORDER BY since, until) AS until
  FROM vapi_keys
 WHERE key = $1
"""  # noqa: S608 - made of constants

PAUSE: Final = """
WITH extended AS (
    UPDATE key_pauses SET until = greatest(until, $2)
     WHERE key = $1 AND until > clock_timestamp() - $5::interval
    RETURNING key
), noted AS (
    INSERT INTO key_pauses (key, since, until, reason)
    SELECT $1, clock_timestamp(), $2, $3 WHERE NOT EXISTS (SELECT FROM extended)
), forgotten AS (
    DELETE FROM key_pauses WHERE until < clock_timestamp() - $6::interval
), moved AS (
    UPDATE leases SET next_due = $2
     WHERE org_id IN (SELECT org_id FROM leases
                       WHERE waits_for_key = $1 AND next_due < $2 AND token IS NULL
                       ORDER BY org_id FOR UPDATE SKIP LOCKED)
)
INSERT INTO vapi_keys AS k (key, account, paused_until, half_open, openings, paused_since, pause_reason, pause_code)
VALUES ($1, $8, $2, $4, CASE WHEN $3 = 'broken' THEN 1 ELSE 0 END, clock_timestamp(), $3, $7)
ON CONFLICT (key) DO UPDATE
   SET paused_until = greatest(k.paused_until, excluded.paused_until), half_open = k.half_open OR excluded.half_open,
       openings = k.openings + excluded.openings, probe_until = NULL,
       paused_since = CASE WHEN k.half_open OR k.paused_until > clock_timestamp() - $5::interval
                           THEN coalesce(k.paused_since, excluded.paused_since) ELSE excluded.paused_since END,
       pause_reason = CASE WHEN k.half_open AND NOT excluded.half_open THEN k.pause_reason
                           ELSE excluded.pause_reason END,
       pause_code = CASE WHEN k.half_open AND NOT excluded.half_open THEN k.pause_code ELSE excluded.pause_code END
"""

PROBE: Final = """
UPDATE vapi_keys SET probe_until = clock_timestamp() + $2
 WHERE key = $1 AND half_open
   AND (paused_until IS NULL OR paused_until <= clock_timestamp())
   AND (probe_until IS NULL OR probe_until <= clock_timestamp())
RETURNING probe_until
"""

_WOKEN: Final = """
UPDATE leases SET next_due = clock_timestamp()
 WHERE EXISTS (SELECT FROM changed)
   AND org_id IN (SELECT org_id FROM leases
                   WHERE waits_for_key IS NOT NULL AND next_due > clock_timestamp() AND token IS NULL
                     AND (waits_for_key = $1
                          OR (SELECT o.account FROM vapi_keys o WHERE o.key = waits_for_key)
                             IS NOT DISTINCT FROM (SELECT o.account FROM vapi_keys o WHERE o.key = $1))
                   ORDER BY org_id FOR UPDATE SKIP LOCKED)
"""

LIFT: Final = f"""
WITH changed AS (
    UPDATE vapi_keys
       SET paused_until = NULL, half_open = false, probe_until = NULL, openings = 0, lifted_at = clock_timestamp(),
           paused_since = NULL, pause_reason = NULL, pause_code = NULL
     WHERE key = $1 AND half_open
    RETURNING key
)
{_WOKEN}"""  # noqa: S608

ABANDON: Final = f"""
WITH changed AS (
    UPDATE vapi_keys SET probe_until = NULL WHERE key = $1 AND probe_until = $2 RETURNING key
)
{_WOKEN}"""  # noqa: S608

DRAW: Final = """
WITH forgotten AS (DELETE FROM key_minutes WHERE key = $1 AND minute < $2::bigint - $5::int)
INSERT INTO key_minutes AS k (key, minute, used, granted)
VALUES ($1, $2::bigint, least($3::int, $4::int), least($3::int, $4::int))
ON CONFLICT (key, minute) DO UPDATE
   SET used = k.used + greatest(0, least($3, least($4, k.allowed) - k.used)),
       granted = greatest(0, least($3, least($4, k.allowed) - k.used))
RETURNING granted, used, lent
"""

LOWER: Final = """
UPDATE key_minutes SET allowed = used + greatest(0, least($3::int + lent, allowed) - used) / 2
 WHERE key = $1 AND minute = $2
"""

ASK: Final = """
INSERT INTO key_minutes AS k (key, minute, used, granted, asked) VALUES ($1, $2, 0, 0, true)
ON CONFLICT (key, minute) DO UPDATE SET asked = true WHERE NOT k.asked
RETURNING true
"""

BORROW: Final = "UPDATE key_minutes SET lent = lent + $3::int WHERE key = $1 AND minute = $2 RETURNING lent"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What the database says of a key. ``openings``: breaker openings since the last answer."""

    paused_until: datetime | None = None
    half_open: bool = False
    probe_until: datetime | None = None
    openings: int = 0
    lifted_at: datetime | None = None
    pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """Requests that were taken of a minute, how many all replicas have taken by then, and how many it was lent."""

    granted: int
    used: int
    lent: int = 0


@dataclass(frozen=True, slots=True)
class KeyTable:
    """One statement each, on a connection of the pool. ``account`` None: the key is the platform's."""

    pool: Pool
    key: str
    account: str | None = None

    async def open(self) -> None:
        """Make the key's row, and orgs due that wait for another key of its account."""
        await self.pool.execute(OPEN, self.key, self.account)

    async def read(self, now: datetime) -> KeyRow:
        """The row, with the pauses of every key of the account in the last day."""
        row = await self.pool.fetchrow(READ, self.key, now - PAUSES_KEPT, self.account)
        if row is None:
            return KeyRow()
        pauses = tuple(map(Pause, row["since"], row["until"]))
        return KeyRow(
            row["paused_until"], row["half_open"], row["probe_until"], row["openings"], row["lifted_at"], pauses
        )

    async def pause(self, until: datetime, reason: str, *, trial: bool, code: str | None = None) -> None:
        """Nothing is sent before ``until``; with ``trial`` one call alone after it. ``code``: what operators read."""
        await self.pool.execute(PAUSE, self.key, until, reason, trial, GAP, PAUSES_KEPT, code, self.account)

    async def probe(self, seconds: float) -> datetime | None:
        """Take the one call of a half-open key; until when it is ours, None where it is not."""
        until: datetime | None = await self.pool.fetchval(PROBE, self.key, timedelta(seconds=seconds))
        return until

    async def abandon(self, probe_until: datetime) -> None:
        """Give the one call back, unmade."""
        await self.pool.execute(ABANDON, self.key, probe_until)

    async def lift(self) -> None:
        """The key works: everything that waits for it is due."""
        await self.pool.execute(LIFT, self.key)

    async def draw(self, minute: int, wanted: int, ceiling: int) -> Drawn:
        """Take at most ``wanted`` requests of a minute of which ``ceiling`` may be taken."""
        row = await self.pool.fetchrow(DRAW, self.key, minute, wanted, ceiling, MINUTES_KEPT)
        assert row is not None, "inserted or updated"
        return Drawn(row["granted"], row["used"], row["lent"])

    async def ask(self, minute: int) -> bool:
        """Whether it is this process that borrows for the minute: one does, once."""
        return bool(await self.pool.fetchval(ASK, self.key, minute))

    async def borrow(self, minute: int, lent: int) -> int:
        """Add what was lent of the minute; what it was lent, all in all."""
        total: int = await self.pool.fetchval(BORROW, self.key, minute, lent)
        return total

    async def lower(self, minute: int, ceiling: int) -> None:
        """Vapi had enough before we did: half of what is left of this minute is void."""
        await self.pool.execute(LOWER, self.key, minute, ceiling)

"""What this service measures: what it reads from the database, and what happens in this process.

What each figure means for an alarm is in docs/telemetry.md.
"""

from collections.abc import Mapping
from typing import Final

from tool_sync import db
from tool_sync.db import Pool
from tool_sync.queries.coverage import CoverageCount
from tool_sync.queries.waiting import backlog
from tool_sync.sync.object_looks import oldest_look
from tool_sync.vapi.rate_limit import paused_keys
from zerotouch_platform.gauges import CLOCK_SKEW, CLOCK_SKEW_MEASURE, RECORDS_LOST, Gauges
from zerotouch_platform.kafka.ledger import records_lost
from zerotouch_platform.meters import Measure, Meters
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS
from zerotouch_platform.vapi.calls import CallMeter
from zerotouch_platform.vapi.clock_watch import ClockWatch

GAUGES: Final[Mapping[str, Measure]] = {
    "zerotouch.coverage": Measure("1", "assistants that can book, of those that should, by what is wanted now"),
    "zerotouch.assistants": Measure("{assistant}", "assistants that should book"),
    "zerotouch.assistants.without_tools": Measure("{assistant}", "assistants of clinics for which no tool is wanted"),
    "zerotouch.syncs.pending": Measure("{org}", "organizations with open work"),
    "zerotouch.syncs.oldest": Measure("s", "age of the oldest save without an outcome"),
    "zerotouch.looks.oldest": Measure("s", "how long ago the assistant or tool was read at Vapi that waits longest"),
    "zerotouch.key.paused": Measure("1", "1 while nothing is sent with the platform's key of Vapi, else 0"),
    "zerotouch.accounts.paused": Measure("{account}", "accounts of clinics' own at Vapi whose key is paused"),
    "zerotouch.dead_letters.open": Measure("{record}", "records that nobody has replayed or closed"),
    RECORDS_LOST: Measure("{record}", "records that were gone from the topic before they were read"),
    "zerotouch.log.head": Measure("{event}", "newest position of the log"),
    "zerotouch.relay.lag": Measure("{event}", "positions that the relay of outcomes has not passed yet"),
    "zerotouch.relay.fleet_lag": Measure("{event}", "positions that the relay of changes has not passed yet"),
    "zerotouch.log.unsigned": Measure("s", "age of the oldest event above the newest signed head"),
    CLOCK_SKEW: CLOCK_SKEW_MEASURE,
}
SYNC: Final = "zerotouch.sync.duration"
SYNC_MEASURE: Final = Measure("s", "from a save's record in the log to its outcome, by `outcome`")
SYNC_BOUNDS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


NOTICES: Final = "zerotouch.notices"
NOTICES_MEASURE: Final = Measure("{notice}", "notices sent to clinics, by `result`: delivered, failed or disabled")


class Meter:
    """What happens in this process."""

    def __init__(self, meters: Meters) -> None:
        self.called = CallMeter(meters).called
        self._notices = meters.counter(NOTICES, NOTICES_MEASURE)
        self._syncs = meters.histogram(SYNC, SYNC_MEASURE, SYNC_BOUNDS)

    def notified(self, result: str) -> None:
        """A notice was sent to a clinic, or not taken."""
        self._notices.add(1, {"result": result})

    def settled(self, outcome: str, seconds: float) -> None:
        """A save has its outcome."""
        self._syncs.record(seconds, {"outcome": outcome})


def metrics(
    pool: Pool, meters: Meters, clock_watch: ClockWatch | None = None, coverage: CoverageCount | None = None
) -> Gauges:
    """What is looked up in the database. ``coverage`` is the process's own count, where it has one."""
    count = coverage or CoverageCount()

    async def look() -> Mapping[str, float]:
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            behind = await backlog(connection)
            covered, lost = await count.at(connection, behind.head), await records_lost(connection)
            oldest, paused = await oldest_look(connection), await paused_keys(connection)
        skew_seconds = None if clock_watch is None else clock_watch.skew_seconds
        return {
            "zerotouch.coverage": covered.percent / 100,
            "zerotouch.assistants": covered.assistants,
            "zerotouch.assistants.without_tools": covered.without_tools,
            "zerotouch.syncs.pending": behind.pending,
            "zerotouch.syncs.oldest": behind.oldest_seconds,
            "zerotouch.looks.oldest": 0.0 if oldest is None else oldest.age_seconds,
            "zerotouch.key.paused": float(any(key.account is None for key in paused)),
            "zerotouch.accounts.paused": len({key.account for key in paused if key.account is not None}),
            "zerotouch.dead_letters.open": behind.dead_letters,
            RECORDS_LOST: lost,
            "zerotouch.log.head": behind.head,
            "zerotouch.relay.lag": behind.head - behind.published,
            "zerotouch.relay.fleet_lag": behind.head - behind.told,
            "zerotouch.log.unsigned": behind.unsigned_seconds,
            **({} if skew_seconds is None else {CLOCK_SKEW: skew_seconds}),
        }

    return Gauges(meters, GAUGES, look, db.WAITED_OUT_ERRORS)

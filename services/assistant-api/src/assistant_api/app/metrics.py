"""What this service measures: what it reads from the database, and what happens in this process.

What each figure means for an alarm is in docs/telemetry.md.
"""

from collections.abc import Mapping
from typing import Final

from assistant_api.db import TRANSIENT_ERRORS, Database, DatabaseUnavailable
from zerotouch_platform.gauges import CLOCK_SKEW, CLOCK_SKEW_MEASURE, RECORDS_LOST, Gauges
from zerotouch_platform.kafka.ledger import records_lost
from zerotouch_platform.meters import Measure, Meters
from zerotouch_platform.vapi.calls import CallMeter
from zerotouch_platform.vapi.clock_watch import ClockWatch

_LOOK: Final = """
SELECT count(*) AS pending,
       greatest(coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0), 0)::float8 AS oldest,
       (SELECT count(*) FROM saves WHERE state = 'open') AS saves,
       (SELECT greatest(coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0), 0)::float8
          FROM saves WHERE state = 'open') AS oldest_save
FROM outbox
"""
GAUGES: Final[Mapping[str, Measure]] = {
    RECORDS_LOST: Measure("{record}", "outcomes that were gone from the topic before they were read"),
    "zerotouch.outbox.pending": Measure("{message}", "messages that are not on a topic yet"),
    "zerotouch.outbox.oldest": Measure("s", "age of the oldest of them"),
    "zerotouch.saves.open": Measure("{save}", "saves that are not written to Vapi yet"),
    "zerotouch.saves.oldest": Measure("s", "age of the oldest of them"),
    CLOCK_SKEW: CLOCK_SKEW_MEASURE,
}
TOOL_CALLS: Final = "zerotouch.tool_call.duration"
TOOL_CALLS_MEASURE: Final = Measure("s", "calls of tools by Vapi, by `tool` and `code`")
TOOL_CALLS_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Meter:
    """What happens in this process."""

    def __init__(self, meters: Meters) -> None:
        self.called = CallMeter(meters).called
        self._tool_calls = meters.histogram(TOOL_CALLS, TOOL_CALLS_MEASURE, TOOL_CALLS_BOUNDS)

    def tool_called(self, tool: str, code: str, seconds: float) -> None:
        """A caller was answered."""
        self._tool_calls.record(seconds, {"tool": tool, "code": code})


def metrics(database: Database, meters: Meters, clock_watch: ClockWatch) -> Gauges:
    """What is looked up in the database."""

    async def look() -> Mapping[str, float]:
        async with database.connection() as connection:
            row = await connection.fetchrow(_LOOK)
            lost = await records_lost(connection)
        assert row is not None
        skew = {} if clock_watch.skew_seconds is None else {CLOCK_SKEW: clock_watch.skew_seconds}
        return {
            RECORDS_LOST: lost,
            "zerotouch.outbox.pending": row["pending"],
            "zerotouch.outbox.oldest": row["oldest"],
            "zerotouch.saves.open": row["saves"],
            "zerotouch.saves.oldest": row["oldest_save"],
            **skew,
        }

    return Gauges(meters, GAUGES, look, (DatabaseUnavailable, *TRANSIENT_ERRORS))

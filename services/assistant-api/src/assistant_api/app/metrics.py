"""What is measured all the time: read from the database every few seconds, exported over OTLP beside the traces.

zerotouch.records.lost         {record}  outcomes gone from the topic before they were read, and not acknowledged
zerotouch.outbox.pending       {message} messages that are not on the topic yet
zerotouch.outbox.oldest        s      age of the oldest of them
zerotouch.vapi.clock_skew      s      how far Vapi's clock is ahead of the database's; not before an answer told
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from opentelemetry.sdk.metrics.export import MetricReader

from assistant_api.db import Database
from assistant_api.telemetry import SERVICE_NAME
from zerotouch_platform.gauges import CLOCK_SKEW, RECORDS_LOST, Gauges
from zerotouch_platform.kafka.ledger import records_lost
from zerotouch_platform.vapi.clock_watch import ClockWatch

_LOOK: Final = """
SELECT count(*) AS pending,
       greatest(coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0), 0)::float8 AS oldest
FROM outbox
"""
_UNITS: Final = {
    RECORDS_LOST: "{record}",
    "zerotouch.outbox.pending": "{message}",
    "zerotouch.outbox.oldest": "s",
    CLOCK_SKEW: "s",
}


def metrics(database: Database, reader: MetricReader, clock_watch: ClockWatch) -> Gauges:
    """What looks and exports."""

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
            **skew,
        }

    service = (SERVICE_NAME, version("zerotouch-assistant-api"))
    return Gauges(service, reader, _UNITS, look)

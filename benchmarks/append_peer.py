"""``python -m benchmarks.append_peer URL``: 64 threads append with `eventsourcing`; prints the rate as JSON.

Its recorder for applications, since only that keeps the order of commits; connections opened beforehand, one for each
thread; statements prepared by psycopg. Its option for database functions inserts without the lock that keeps that
order, and is left off.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from benchmarks.append import APPENDERS, APPENDS, STATE, WARM_UP


def appender(recorder: PostgresApplicationRecorder, originator: UUID, versions: range) -> None:
    """Append one event of one aggregate after the other."""
    for version in versions:
        recorder.insert_events([StoredEvent(originator, version, "SyncRequested", STATE)])


def main(url: str) -> None:
    """Warm up, measure, check that every event is there."""
    parts = urlsplit(url)
    datastore = PostgresDatastore(
        dbname=parts.path.strip("/"),
        host=parts.hostname or "",
        port=parts.port or 5432,
        user=parts.username or "",
        password=parts.password or "",
        pool_size=APPENDERS,
        max_waiting=0,
        connect_timeout=30,
    )
    recorder = PostgresApplicationRecorder(datastore, events_table_name="stored_events")
    recorder.create_table()
    datastore.pool.wait(timeout=30)  # every thread finds a connection open
    originators = [uuid4() for _ in range(APPENDERS)]
    warm, each = WARM_UP // APPENDERS, APPENDS // APPENDERS

    def run(threads: ThreadPoolExecutor, versions: range) -> None:
        for done in [threads.submit(appender, recorder, originator, versions) for originator in originators]:
            done.result()

    with ThreadPoolExecutor(APPENDERS) as threads:
        run(threads, range(1, 1 + warm))
        started = time.perf_counter()
        run(threads, range(1 + warm, 1 + warm + each))
        seconds = time.perf_counter() - started
    stored = recorder.max_notification_id()
    assert stored == APPENDS + WARM_UP, f"expected {APPENDS + WARM_UP} events, found {stored}"
    datastore.close()
    print(json.dumps({"appends_per_second": APPENDS / seconds}))


if __name__ == "__main__":
    main(sys.argv[1])

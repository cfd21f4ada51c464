"""``python -m benchmarks.log_rebuild_peer URL``: a read model from `eventsourcing`'s own log; prints the rate as JSON.

Its recorder's events are read in pages of notifications and folded into a dictionary, which is written at the end: less
than its own processes do, which also map every event to a class and keep a tracking record for each.
"""

import json
import sys
import time
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from benchmarks.filled_log import EVENTS_OF_AN_ORG
from benchmarks.log_rebuild import PEER_EVENTS

PAGE = 5_000
TYPES = ("OrgRegistered", "SyncRequested", "ToolRegistrationStarted", "ToolRegistered", "AssistantLinkStarted",
         "AssistantLinked", "AssistantSynced", "SyncRequested", "AssistantSynced", "OrgSettled")  # fmt: skip
TABLE = (
    "CREATE TABLE org_tools (org_id uuid, name text, vapi_tool_id text, position bigint, PRIMARY KEY (org_id, name))"
)


def fill(recorder: PostgresApplicationRecorder) -> None:
    """As many events of one kind and size as ours has."""
    for start in range(0, PEER_EVENTS, PAGE):
        events = []
        for number in range(start, start + PAGE):
            if number % EVENTS_OF_AN_ORG == 0:
                org = uuid4()
            state = {"attempt_id": str(org), "account": "platform", "name": "bookClinicAppointment",
                     "vapi_tool_id": str(org), "definition_version": 1, "definition_hash": "3" * 64,
                     "answer_hash": "4" * 64, "adopted": False}  # fmt: skip
            kind = number % EVENTS_OF_AN_ORG
            events.append(StoredEvent(org, kind + 1, TYPES[kind], json.dumps(state).encode()))
        recorder.insert_events(events)


def rebuild(recorder: PostgresApplicationRecorder, connection: "psycopg.Connection[tuple[object, ...]]") -> int:
    """Read everything and write the read model; returns its number of rows."""
    tools: dict[tuple[UUID, str], tuple[str, int]] = {}
    position = 0
    while notifications := recorder.select_notifications(position, PAGE, inclusive_of_start=False):
        for notification in notifications:
            if notification.topic in ("ToolRegistered", "ToolUpdated", "ToolVanished"):
                data = json.loads(notification.state)
                tools[notification.originator_id, data["name"]] = (data["vapi_tool_id"], notification.id)
        position = notifications[-1].id
    with connection.cursor() as cursor, cursor.copy("COPY org_tools FROM STDIN") as copy:
        for (org, name), (vapi_tool_id, at) in tools.items():
            copy.write_row((org, name, vapi_tool_id, at))
    connection.commit()
    return len(tools)


def main(url: str) -> None:
    """Fill, measure, check that every tool is there."""
    parts = urlsplit(url)
    datastore = PostgresDatastore(
        dbname=parts.path.strip("/"),
        host=parts.hostname or "",
        port=parts.port or 5432,
        user=parts.username or "",
        password=parts.password or "",
        connect_timeout=30,
    )
    recorder = PostgresApplicationRecorder(datastore, events_table_name="stored_events")
    recorder.create_table()
    fill(recorder)
    with psycopg.connect(url) as connection:
        connection.execute("ANALYZE stored_events")
        connection.execute(TABLE)
        connection.commit()
        started = time.perf_counter()
        rows = rebuild(recorder, connection)
        seconds = time.perf_counter() - started
    expected = PEER_EVENTS // EVENTS_OF_AN_ORG
    assert rows == expected, f"expected {expected} tools, found {rows}"
    datastore.close()
    print(json.dumps({"events_per_second": PEER_EVENTS / seconds}))


if __name__ == "__main__":
    main(sys.argv[1])

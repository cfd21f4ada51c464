"""Ways to spoil a history in which tool-sync's log was set back once: what the fork excuses, and nothing more."""

import copy
import uuid

from tests.checker.dump import Dump, Row
from tests.checker.wire import message_of, packed


def lost_log_goes_on(dump: Dump) -> None:
    """A process of the lost log publishes once more what it had said, after the fork."""
    _again(dump, _of_lost_log(dump))


def lost_record_of_nobody(dump: Dump) -> None:
    """What is on the topic is neither in the log that stands nor in the lost one."""
    kept = {event["event_id"] for event in dump.table("tool_sync.events")}
    dump.tables["lost-1.events"] = [e for e in dump.table("lost-1.events") if e["event_id"] in kept]


def two_outcomes_in_lost_log(dump: Dump) -> None:
    """The lost log had given a request two outcomes."""
    _set_header(_again(dump, _of_lost_log(dump)), "ce_id", str(uuid.uuid4()))


def set_back_without_a_fork(dump: Dump) -> None:
    """The log that was set back goes on under the id that it had."""
    lost, standing = _ids(dump)
    dump.table("tool_sync.log")[0]["log_id"] = lost
    for record in dump.records:
        if message_of(record).log_id == standing:
            _set_header(record, "log_id", lost)


def new_log_out_of_order(dump: Dump) -> None:
    """After the fork a reader of a clinic meets the second outcome first."""
    _, standing = _ids(dump)
    org = _of_lost_log(dump)["key"]
    found = [r for r in dump.records if message_of(r).log_id == standing and r["key"] == org]
    first, second = sorted(found, key=lambda record: record["offset"])[:2]
    first["offset"], second["offset"] = second["offset"], first["offset"]


def lost_outcome_believed(dump: Dump) -> None:
    """assistant-api still shows what the lost log said of an assistant."""
    record = message_of(_of_lost_log(dump))
    row = next(row for row in dump.table("assistant_api.outcomes") if row["org_id"] == record.org)
    row["event_id"] = record.id


def _ids(dump: Dump) -> tuple[str, str]:
    [lost], [standing] = dump.table("lost-1.log"), dump.table("tool_sync.log")
    return lost["log_id"], standing["log_id"]


def _of_lost_log(dump: Dump) -> Row:
    """The first record that the log that stands has lost."""
    kept = {event["event_id"] for event in dump.table("tool_sync.events")}
    lost, _ = _ids(dump)
    return next(r for r in dump.records if message_of(r).log_id == lost and message_of(r).id not in kept)


def _set_header(record: Row, name: str, text: str) -> None:
    record["headers"] = [[each, packed(text.encode()) if each == name else value] for each, value in record["headers"]]


def _again(dump: Dump, record: Row) -> Row:
    """The record once more, at the end of its partition."""
    again = {**copy.deepcopy(record), "offset": 10_000}
    dump.records.append(again)
    return again

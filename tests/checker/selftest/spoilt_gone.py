"""Ways to spoil a history in which saves were deleted unread, and assistant-api's rows were set back.

What the ledger of losses excuses, what a restore does, and nothing more.
"""

import json

from tests.checker.dump import DELETED, Dump, Row
from tests.checker.wire import SAVED, message_of


def gone_and_not_told(dump: Dump) -> None:
    """tool-sync has not written down what it missed."""
    dump.table("tool_sync.lost_records").clear()


def told_of_what_follows(dump: Dump) -> None:
    """The ledger of losses names the offsets behind the ones that are gone."""
    for row in dump.table("tool_sync.lost_records"):
        row["first_offset"], row["end_offset"] = row["end_offset"], row["end_offset"] + 1_000


def told_of_another_partition(dump: Dump) -> None:
    """The ledger of losses names the same offsets elsewhere."""
    for row in dump.table("tool_sync.lost_records"):
        row["partition"] += 1


def made_again_told_of_what_was_deleted(dump: Dump) -> None:
    """The ledger of losses says of records that were deleted that the topic was made again, without an end."""
    for row in dump.table("tool_sync.lost_records"):
        row |= {"end_offset": row["first_offset"], "cause": "the topic was recreated"}


def told_of_what_is_there(dump: Dump) -> None:
    """The ledger of losses names a save that is on the topic still, and that nobody took in."""
    record = _settled_save(dump)
    _tell(dump, record)
    _forget(dump, record)


def told_of_what_was_read(dump: Dump) -> None:
    """A save was taken in before it was deleted; the ledger of losses names it, and it has no outcome."""
    record = _settled_save(dump)
    record["gone"] = DELETED
    _tell(dump, record)
    _forget(dump, record, but_taken_in=True)


def save_without_any_row(dump: Dump) -> None:
    """An acknowledged save is in no database of assistant-api, neither in the one that stands nor in the lost one."""
    standing = {row["request_id"] for row in dump.table("assistant_api.saves")}
    asked = {line["request_id"] for line in dump.ledger if line.get("op") == "save"}
    rows = dump.table("former-1.saves")
    rows.remove(next(row for row in rows if row["request_id"] in asked - standing))


def lost_save_never_sent(dump: Dump) -> None:
    """A save of the lost rows was in Vapi, and never reached the topic."""
    standing = {row["request_id"] for row in dump.table("assistant_api.saves")}
    lost = {row["request_id"] for row in dump.table("former-1.saves")} - standing
    dump.records.remove(next(r for r in dump.records if message_of(r).body.get("request_id") in lost and _is_save(r)))


def _tell(dump: Dump, record: Row) -> None:
    place = {"topic": record["topic"], "partition": record["partition"], "first_offset": record["offset"]}
    told = {**place, "end_offset": record["offset"] + 1, "cause": "deleted before they were read"}
    dump.table("tool_sync.lost_records").append(told)


def _forget(dump: Dump, record: Row, *, but_taken_in: bool = False) -> None:
    """The record has no outcome; and no event at all."""
    message = message_of(record)
    request_id = message.body["request_id"]
    dump.tables["tool_sync.events"] = [
        event for event in dump.table("tool_sync.events")
        if not (event["type"] == "AssistantSynced" and request_id in event["data_text"])
        and (but_taken_in or json.loads(event["meta_text"]).get("causation_id") != message.id)
    ]  # fmt: skip


def _settled_save(dump: Dump) -> Row:
    """A save on the topic still that has its outcome; the poison that claims to be a save has no body, and none."""
    settled = [event["data_text"] for event in dump.table("tool_sync.events") if event["type"] == "AssistantSynced"]
    for record in dump.records:
        request_id = message_of(record).body.get("request_id")
        if _is_save(record) and "gone" not in record and request_id and any(request_id in text for text in settled):
            return record
    raise AssertionError("the good run holds no settled save that is still on the topic")


def _is_save(record: Row) -> bool:
    return message_of(record).type == SAVED

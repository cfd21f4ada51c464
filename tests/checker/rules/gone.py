"""A record that its topic lost: no outcome is due where tool-sync had not read it, and has said so."""

from typing import Final

from tests.checker.dump import MADE_AGAIN, Row
from tests.checker.history import History
from tests.checker.wire import Message

MADE_AGAIN_CAUSE: Final = "the topic was recreated"


def lost_and_told(history: History, message: Message) -> bool:
    """Whether a record is gone from the input topic, was never taken in, and tool-sync's ledger of losses names it."""
    if message.gone is None or (message.key or "", message.id or "") in history.taken_in:
        return False
    return any(_names(row, message) for row in history.dump.table("tool_sync.lost_records"))


def _names(row: Row, message: Message) -> bool:
    if (row["topic"], row["partition"]) != message.place[:2] or message.offset < row["first_offset"]:
        return False
    # Of a topic that is no more it is known how far it was read, and not where it ended.
    endless = message.gone == MADE_AGAIN and row["cause"].startswith(MADE_AGAIN_CAUSE)
    return endless or message.offset < row["end_offset"]  # type: ignore[no-any-return]

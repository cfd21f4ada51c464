"""The subscriber kit: everything that a service needs to follow the outcomes, and to rebuild its state from them.

    records of the topic ─► decode ─► Sequencer ─► your State, rows and marks in one transaction
    pages of the feed    ───────────►    repeats are left out, holes are filled from the feed

delivery    an outcome with its envelope, from a record or from the feed
unknown     a message of a newer type: passed over, and its number counts
order       the rules: last + 1 is next, not above last is a repeat, higher is a hole; which log is the newer
state       what you keep: your rows, and beside them how far they go
feed        the HTTP feed of tool-sync
sequencer   admits each outcome of an org once and in order
reader      :class:`OutcomeReader`: follow the topic; rebuild from the topic, the feed or a snapshot
faststream  the same for a FastStream subscriber

Needs the extra: ``pip install zerotouch-contracts[subscriber]``. The base package needs pydantic and orjson alone.
"""

from zerotouch_contracts.subscriber.delivery import Delivered, Incoming, decode
from zerotouch_contracts.subscriber.errors import (
    FeedUnavailable,
    GroupInUse,
    HistoryRewritten,
    HoleUnfilled,
    LogChanged,
    SubscriberError,
    TopicMissing,
)
from zerotouch_contracts.subscriber.feed import Feed, FeedPage, OutcomePages
from zerotouch_contracts.subscriber.order import Followed, Last, Place, follow, place_of
from zerotouch_contracts.subscriber.reader import OutcomeReader, Rebuilding
from zerotouch_contracts.subscriber.sequencer import Sequencer
from zerotouch_contracts.subscriber.state import Marks, State
from zerotouch_contracts.subscriber.unknown import PassedOver, UnknownNotice, UnknownOutcome

__all__ = [
    "Delivered",
    "Feed",
    "FeedPage",
    "FeedUnavailable",
    "Followed",
    "GroupInUse",
    "HistoryRewritten",
    "HoleUnfilled",
    "Incoming",
    "Last",
    "LogChanged",
    "Marks",
    "OutcomePages",
    "OutcomeReader",
    "PassedOver",
    "Place",
    "Rebuilding",
    "Sequencer",
    "State",
    "SubscriberError",
    "TopicMissing",
    "UnknownNotice",
    "UnknownOutcome",
    "decode",
    "follow",
    "place_of",
]

"""The subscriber kit: all that a service needs to follow what tool-sync says, and to rebuild its state from it.

    records of the topic ─► decode ─► Sequencer ─► your State, rows and marks in one transaction
    pages of the feed    ───────────►    repeats are left out, holes are filled from the feed

The outcomes and the fleet's messages are followed alike: ``OutcomeReader``, ``Feed``, ``State`` and ``Delivered`` are
of the ones, ``FleetReader``, ``FleetFeed``, ``FleetState`` and ``FleetDelivered`` of the others.

delivery    a message with its envelope, from a record or from the feed
unknown     a message of a newer type: passed over, and its number counts
order       the rules: last + 1 is next, not above last is a repeat, higher is a hole; which log is the newer
state       what you keep: your rows, and beside them how far they go
feed        the HTTP feeds of tool-sync
sequencer   admits each message of an org, or of a rollout, once and in order
reader      :class:`TopicReader`: follow the topic; rebuild from the topic, the feed or a snapshot
rebuild     the consumer of a whole topic that a rebuild reads
faststream  the same for a FastStream subscriber

Needs the extra: ``pip install zerotouch-contracts[subscriber]``. The base package needs pydantic and orjson alone.
"""

from zerotouch_contracts.subscriber.delivery import (
    Delivered,
    Enveloped,
    FleetDelivered,
    FleetIncoming,
    Incoming,
    decode,
    decode_fleet,
)
from zerotouch_contracts.subscriber.errors import (
    FeedUnavailable,
    GroupInUse,
    HistoryRewritten,
    HoleUnfilled,
    LogChanged,
    SubscriberError,
    TopicMissing,
)
from zerotouch_contracts.subscriber.feed import Feed, FeedPage, FleetFeed, FleetPage, FleetPages, OutcomePages
from zerotouch_contracts.subscriber.order import Followed, Last, Place, follow, place_of
from zerotouch_contracts.subscriber.reader import FleetReader, OutcomeReader, Rebuilding
from zerotouch_contracts.subscriber.sequencer import FleetSequencer, Sequencer
from zerotouch_contracts.subscriber.state import FleetState, Marks, State
from zerotouch_contracts.subscriber.unknown import PassedOver, UnknownNotice, UnknownOutcome

__all__ = [
    "Delivered",
    "Enveloped",
    "Feed",
    "FeedPage",
    "FeedUnavailable",
    "FleetDelivered",
    "FleetFeed",
    "FleetIncoming",
    "FleetPage",
    "FleetPages",
    "FleetReader",
    "FleetSequencer",
    "FleetState",
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
    "decode_fleet",
    "follow",
    "place_of",
]

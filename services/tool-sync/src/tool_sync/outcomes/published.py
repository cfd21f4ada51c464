"""What is published of the log: a topic is one value here. Relay, feed and replay are the same code for each of them.

::

    OUTCOMES  tool-sync.outcomes.v1   the outcome of every save, and what changed for an assistant since
    FLEET     tool-sync.fleet.v1      each change of a clinic's tools, and the beginning and end of each rollout

They share the log and nothing else: each has a cursor, a leader and numbers of its own, so that one of them that cannot
be published holds up no other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from tool_sync.domain import events
from tool_sync.outcomes.fleet_publications import FLEET_STORED_AS, fleet_message_of
from tool_sync.outcomes.publications import STORED_AS, publication_of
from zerotouch_contracts.envelope import (
    AnyMessage,
    Attributes,
    FleetAttributes,
    Headers,
    from_fleet_record,
    from_record,
)
from zerotouch_contracts.events import OutcomeMessage
from zerotouch_contracts.fleet import FleetMessage
from zerotouch_contracts.topics import FLEET as FLEET_TOPIC
from zerotouch_contracts.topics import OUTCOMES as OUTCOMES_TOPIC
from zerotouch_contracts.topics import Topic

PublishedMessage = OutcomeMessage | FleetMessage


Read = Callable[[bytes | None, bytes | None, Headers], tuple[AnyMessage | FleetMessage, Attributes | FleetAttributes]]


@dataclass(frozen=True, slots=True, eq=False)
class PublishedTopic:
    """``numbered_by``: the field of a stored event that holds its number on the topic; one without is not published.

    ``cursor``: the row of how far it is published. ``lock_key``: whoever holds it leads; any number that nothing else
    locks in this database. ``stored_as``: the stored events that each message is made of. ``read`` reads a record.
    ``is_urgent``: each append wakes its relay. Otherwise its own next look finds what is new, so that it takes nothing
    from saves.
    """

    name: str
    topic: Topic = field(repr=False)
    numbered_by: str = field(repr=False)
    cursor: str = field(repr=False)
    lock_key: int = field(repr=False)
    stored_as: Mapping[type[Any], tuple[type[events.Event], ...]] = field(repr=False)
    message_of: Callable[[UUID | None, events.Event], PublishedMessage | None] = field(repr=False)
    read: Read = field(repr=False)
    is_urgent: bool = field(repr=False)

    @property
    def stored_types(self) -> tuple[str, ...]:
        """The names of all stored events that it may publish."""
        return tuple(sorted(stored.__name__ for all_of in self.stored_as.values() for stored in all_of))


OUTCOMES: Final = PublishedTopic(
    "outcomes",
    OUTCOMES_TOPIC,
    numbered_by="sequence",
    cursor="outcomes-relay",
    lock_key=0x7A74_7265_6C61_7931,
    stored_as=STORED_AS,
    message_of=publication_of,
    read=from_record,
    is_urgent=True,
)
FLEET: Final = PublishedTopic(
    "fleet",
    FLEET_TOPIC,
    numbered_by="fleet_sequence",
    cursor="fleet-relay",
    lock_key=0x7A74_7265_6C61_7932,
    stored_as=FLEET_STORED_AS,
    message_of=fleet_message_of,
    read=from_fleet_record,
    is_urgent=False,
)
ALL: Final = (OUTCOMES, FLEET)
STORED_BY_MESSAGE: Final = {
    message.__name__: tuple(one.__name__ for one in stored)
    for topic in ALL
    for message, stored in topic.stored_as.items()
}
"""The names of the stored events that each message of either topic is made of."""


def published_on(name: str) -> PublishedTopic:
    """The one of this name."""
    return next(published for published in ALL if published.name == name)

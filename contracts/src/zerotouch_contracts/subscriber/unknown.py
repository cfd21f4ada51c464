"""Messages of tool-sync's that this release of the kit does not know: they are passed over, and their numbers count.

A number that did not count would look like a hole at the next message, and no reader could ever fill it.
"""

import logging
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from zerotouch_contracts.envelope import SEQUENCE_DIGITS, UndecodableRecord
from zerotouch_contracts.events import SEQUENCE_MAX
from zerotouch_contracts.fleet import rollout_key

log = logging.getLogger(__name__)

TYPES_MAX: Final = 100
"""Types that are counted one by one; whoever may write to the topic may invent any number of them."""
OTHER_TYPES: Final = "(other types)"

_SEQUENCE: Final = re.compile(rf"[0-9]{{{SEQUENCE_DIGITS}}}")


@dataclass(frozen=True, slots=True)
class UnknownOutcome:
    """A message of an unknown type that takes number ``sequence`` among the messages of its org.

    ``rollout_id``: it is about this rollout, and ``org_id`` stands for it (:func:`.fleet.rollout_key`).
    """

    type: str
    id: str
    org_id: UUID
    sequence: int
    log_id: UUID
    rollout_id: str | None = None

    @property
    def key(self) -> UUID:
        """Whose message it is."""
        return self.org_id

    @property
    def asked_org(self) -> UUID | None:
        """The clinic whose page of the feed holds it; None: only the page of all does."""
        return None if self.rollout_id is not None else self.org_id


@dataclass(frozen=True, slots=True)
class UnknownNotice:
    """A message of an unknown type without a number: it has no place in any order."""

    type: str


Unknown = UnknownOutcome | UnknownNotice


@dataclass(slots=True)
class PassedOver:
    """Counts the messages that were passed over, by type, and logs each type once."""

    counts: Counter[str] = field(default_factory=Counter)

    def note(self, unknown: Unknown) -> None:
        """Count one more."""
        known = unknown.type in self.counts or len(self.counts) < TYPES_MAX
        name = unknown.type if known else OTHER_TYPES
        if not self.counts[name]:
            log.warning("messages of type %s are passed over: this release does not know it", name)
        self.counts[name] += 1


def unknown_of(attributes: Mapping[str, Any], log_id: object) -> Unknown:
    """The unknown message with these attributes, as an item of the feed names them: type, id, orgid or rolloutid,
    sequence.

    Raises :class:`~zerotouch_contracts.envelope.UndecodableRecord` where it is numbered and the number, the org or the
    log cannot be read: to guess a place would be to skip what really stands there.
    """
    name, sequence = str(attributes["type"]), attributes.get("sequence")
    if sequence is None:
        return UnknownNotice(name)
    try:
        if _SEQUENCE.fullmatch(str(sequence)) is None or not 1 <= int(sequence) <= SEQUENCE_MAX:
            raise ValueError(sequence)
        rollout_id = None if "orgid" in attributes else str(attributes["rolloutid"])
        key = UUID(str(attributes["orgid"])) if rollout_id is None else rollout_key(rollout_id)
        return UnknownOutcome(name, str(attributes["id"]), key, int(sequence), UUID(str(log_id)), rollout_id)
    except (KeyError, ValueError):
        raise UndecodableRecord("an unknown type without a readable place", type=name) from None

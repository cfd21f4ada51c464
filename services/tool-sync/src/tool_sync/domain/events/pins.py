"""A clinic stays at one version of a tool. Set and taken back in ``org-<id>``, ended by time in ``toolset-<id>``."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ToolPinned:
    """The clinic stays at this version of the tool until a time, whatever is ordered. It replaces a pin before it.

    ``definition_hash`` is what the version's number stood for when it was pinned, ``tier`` the one that it is for.
    """

    name: str
    version: int
    definition_hash: str
    tier: str
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ToolUnpinned:
    """The pin was taken back: the clinic gets what is ordered."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ToolPinExpired:
    """The pin that the event at ``pinned_at`` (a position) made has had its time: the clinic gets what is ordered.

    It ends no other pin: one that was made meanwhile stays.
    """

    name: str
    pinned_at: int

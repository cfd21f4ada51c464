"""What makes a subscriber stop.

SubscriberError
├── HistoryRewritten   the same number, another event: the log was restored or forged
├── LogChanged         another log: rebuild when told to
├── HoleUnfilled       the feed does not have what the topic skipped
├── FeedUnavailable    the feed does not answer, or not with what it promises; try again
├── TopicMissing       deploy makes the topics; this one does not exist
└── GroupInUse         a rebuild needs the group's offsets, and another instance holds them
"""

from dataclasses import dataclass
from uuid import UUID


class SubscriberError(Exception):
    """Why a subscriber cannot go on. Nothing was applied beyond what its state says."""


@dataclass(eq=False)
class HistoryRewritten(SubscriberError):
    """An org's message ``sequence`` was applied as event ``had`` and comes again as event ``got``."""

    org_id: UUID
    sequence: int
    had: str
    got: str

    def __str__(self) -> str:
        return (
            f"history was rewritten: org {self.org_id}, sequence {self.sequence} was event {self.had} and is now "
            f"{self.got}; find out which log is right, then rebuild"
        )


@dataclass(eq=False)
class LogChanged(SubscriberError):
    """The state was built from log ``had``; what comes now is from log ``got``."""

    had: UUID
    got: UUID

    def __str__(self) -> str:
        return f"the log is another one: had {self.had}, got {self.got}; rebuild from the feed"


@dataclass(eq=False)
class HoleUnfilled(SubscriberError):
    """Messages ``first`` to ``last`` of an org are missing on the topic, and the feed does not have them either."""

    org_id: UUID
    first: int
    last: int

    def __str__(self) -> str:
        return f"org {self.org_id}: messages {self.first} to {self.last} are neither on the topic nor in the feed"


@dataclass(eq=False)
class FeedUnavailable(SubscriberError):
    """The feed did not answer as promised; ``reason`` is safe to log."""

    reason: str

    def __str__(self) -> str:
        return f"the feed is not available: {self.reason}"


@dataclass(eq=False)
class GroupInUse(SubscriberError):
    """Consumer group ``group_id`` has members; its offsets cannot be set from outside."""

    group_id: str

    def __str__(self) -> str:
        return f"consumer group {self.group_id} is in use: stop its other instances, then rebuild"


@dataclass(eq=False)
class TopicMissing(SubscriberError):
    """The broker has no such topic, or does not show it to this client."""

    topic: str

    def __str__(self) -> str:
        return f"there is no topic {self.topic}; deploy makes it, a subscriber never does"

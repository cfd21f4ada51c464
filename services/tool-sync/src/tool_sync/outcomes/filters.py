"""Which of the published events of a topic a reader wants: by the contract's type, and by org."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from tool_sync.outcomes.published import OUTCOMES, PublishedTopic


class UnknownType(Exception):
    """No type that is published on the topic has this name. Field: name."""

    def __init__(self, name: str, published: PublishedTopic = OUTCOMES) -> None:
        self.name = name
        known = ", ".join(message.__name__ for message in published.stored_as)
        super().__init__(f"unknown type {name[:80]!r}; known are {known}")


@dataclass(frozen=True, slots=True)
class Filter:
    """``stored_types``: names as the log has them. ``org_id`` None: every org, and what is about none."""

    stored_types: tuple[str, ...]
    org_id: UUID | None
    published: PublishedTopic = OUTCOMES

    @classmethod
    def of(cls, names: Iterable[str] = (), org_id: UUID | None = None, published: PublishedTopic = OUTCOMES) -> Self:
        """From the contract's names, short (``ToolsSynced``) or long, also several with commas; none means all.

        Raises :class:`UnknownType`.
        """
        by_name = {
            name: stored for message, stored in published.stored_as.items() for name in (message.__name__, message.TYPE)
        }
        wanted: set[str] = set()
        for name in (part.strip() for text in names for part in text.split(",")):
            if name not in by_name:
                raise UnknownType(name, published)
            wanted |= {stored.__name__ for stored in by_name[name]}
        return cls(tuple(sorted(wanted)) or published.stored_types, org_id, published)

"""Which of the published events a reader wants: by the contract's type, and by org."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from tool_sync.domain import events
from zerotouch_contracts.events import AssistantDiverged, OutcomeMessage, ToolsSynced, ToolSyncFailed

STORED_AS: Final[Mapping[type[OutcomeMessage], type[events.Event]]] = {
    ToolsSynced: events.AssistantSynced,
    ToolSyncFailed: events.AssistantSyncFailed,
    AssistantDiverged: events.AssistantDiverged,
}
"""The stored event that each message is made of (see `tool_sync.outcomes.publications`)."""

_BY_NAME: Final = {
    name: stored.__name__ for message, stored in STORED_AS.items() for name in (message.__name__, message.TYPE)
}


class UnknownType(Exception):
    """No published type has this name. Field: name."""

    def __init__(self, name: str) -> None:
        self.name = name
        known = ", ".join(message.__name__ for message in STORED_AS)
        super().__init__(f"unknown type {name[:80]!r}; known are {known}")


@dataclass(frozen=True, slots=True)
class Filter:
    """``stored_types``: names as the log has them. ``org_id`` None: every org."""

    stored_types: tuple[str, ...]
    org_id: UUID | None

    @classmethod
    def of(cls, names: Iterable[str] = (), org_id: UUID | None = None) -> Self:
        """From the contract's names, short (``ToolsSynced``) or long, also several with commas; none means all.

        Raises :class:`UnknownType`.
        """
        stored = set()
        for name in (part.strip() for text in names for part in text.split(",")):
            if name not in _BY_NAME:
                raise UnknownType(name)
            stored.add(_BY_NAME[name])
        return cls(tuple(sorted(stored or set(_BY_NAME.values()))), org_id)

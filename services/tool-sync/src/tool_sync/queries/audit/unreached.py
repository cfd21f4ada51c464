"""What a read of Vapi adds to an audit: assistants that the log calls synced, and no caller reaches our tool."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Unreached:
    """One of them. ``what`` is a sentence: which tools, and what stands in the way."""

    org_id: UUID
    agent_id: str
    assistant_id: str | None
    what: str


@dataclass(frozen=True, slots=True)
class LiveRead:
    """``assistants`` were read with so many ``calls``; of ``known`` the log says itself that they cannot book.

    ``not_read`` says which should have been read and were not, ``not_looked_at`` what no read can tell.
    """

    assistants: int
    calls: int
    known: int
    unreached: tuple[Unreached, ...]
    not_read: tuple[str, ...]
    not_looked_at: tuple[str, ...]

"""What became of assistants: links, outcomes, and what was found at Vapi."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tool_sync.domain.events.tools import ToolRef


@dataclass(frozen=True, slots=True)
class AssistantLinkStarted:
    """``PATCH /assistant`` is about to be sent. ``base_hash`` is the model hash of what it is built on.

    ``revision`` is the newest save that the worker knew of, ``taken_out`` the tool ids that the write unlinks.
    """

    attempt_id: UUID
    account: str
    agent_id: str
    assistant_id: str
    revision: int
    base_hash: str
    tools: tuple[ToolRef, ...]
    taken_out: tuple[str, ...] = ()
    fleet_position: int | None = None


@dataclass(frozen=True, slots=True)
class AssistantLinked:
    """The assistant has these tools of ours. The hashes are model hashes: of what we read, and of Vapi's answer."""

    attempt_id: UUID
    account: str
    agent_id: str
    assistant_id: str
    revision: int
    base_hash: str
    model_hash: str
    answer_hash: str
    tools: tuple[ToolRef, ...]
    vapi_version: str | None = None
    """Vapi's label of the assistant's version that this write made."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A request that an outcome answers."""

    request_id: UUID
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class AssistantSynced:
    """The assistant's callers reach all its tools. Settles its agent's requests up to ``settled_through`` (a position).

    ``sequence`` numbers the org's published events; null where the event is not published. ``reason`` is the code that
    says why no tool is wanted; null where one is.
    """

    agent_id: str
    assistant_id: str
    revision: int
    account: str
    tools: tuple[ToolRef, ...]
    requests: tuple[Settled, ...]
    settled_through: int
    cause: str | None
    sequence: int | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ToolFailure:
    """A wanted tool that the assistant lacks, or that no caller reaches."""

    name: str
    code: str


@dataclass(frozen=True, slots=True)
class AssistantSyncFailed:
    """The assistant lacks tools, or has some that no caller reaches. Ends its requests, not the work.

    Where ``look_at`` is set it is looked at again then. ``agent_id``, ``assistant_id`` and ``revision`` are null where
    the request was unreadable; ``cause`` says why it came where no request asked, and is null otherwise.
    """

    agent_id: str | None
    assistant_id: str | None
    revision: int | None
    account: str
    tools: tuple[ToolRef, ...]
    failed_tools: tuple[ToolFailure, ...]
    code: str
    requests: tuple[Settled, ...]
    settled_through: int
    look_at: datetime | None
    sequence: int
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class AssistantDiverged:
    """Vapi shows an older version than the newest save; assistant-api is asked to write ``revision`` again."""

    agent_id: str
    assistant_id: str
    revision: int
    model_hash: str
    sequence: int


@dataclass(frozen=True, slots=True)
class DriftDetected:
    """The assistant at Vapi is neither a saved version nor our own answer: somebody else changed it. Linked on top."""

    agent_id: str
    assistant_id: str
    model_hash: str


@dataclass(frozen=True, slots=True)
class OrgSettled:
    """Everything that concerned the whole org up to ``settled_through`` (a position) is done."""

    settled_through: int

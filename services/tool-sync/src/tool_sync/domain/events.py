"""What can have happened: every event that the log holds.

Two streams per org. ``org-<id>`` is what arrived from outside and is appended without an expected version.
``toolset-<id>`` is what we did, written only by the holder of the org's lease at the expected version. A third kind,
``blueprint-<tool>``, holds the published versions of a tool's definition and belongs to no org.

Events are never edited and never renamed: a new field gets a default, a new meaning gets a new type. Data holds ids,
codes and tool names only; never a secret, a prompt or anything about a patient.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

# --- org-<id>: what arrived -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrgRegistered:
    """A clinic was created."""

    tier: str


@dataclass(frozen=True, slots=True)
class OrgTierChanged:
    """A clinic was saved again; its tier may be another one now."""

    tier: str


@dataclass(frozen=True, slots=True)
class ToolSettingChanged:
    """A clinic's tool was switched off, or on again. Off: no assistant of it gets the tool, whatever its tier."""

    name: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """An operator asks for an assistant that lacks tools, or for all of the org's (null), to be tried again now."""

    agent_id: str | None


@dataclass(frozen=True, slots=True)
class SyncRequested:
    """Revision ``revision`` of an assistant is in Vapi: its tools must be there too. This request needs an outcome."""

    request_id: UUID
    agent_id: str
    assistant_id: str
    revision: int
    model_hash: str
    cause: str
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class RequestUnreadable:
    """A save whose message could not be read; its bytes are a dead letter, and it still gets its outcome."""

    request_id: UUID
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class TrafficSplitSeen:
    """An explicit traffic split of an assistant was read at Vapi, and it is another one than was known.

    ``versions`` are Vapi's labels of the versions that get calls; null: every call goes to the newest one again.
    """

    agent_id: str
    assistant_id: str
    versions: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ToolDriftSeen:
    """A tool of the org was read at Vapi, and somebody has changed it, or deleted it (``gone``)."""

    account: str
    name: str
    vapi_tool_id: str
    gone: bool


@dataclass(frozen=True, slots=True)
class AssistantRemoved:
    """An assistant was deleted. ``revision``: its newest then, where that is known; a save above it is a new life."""

    agent_id: str
    assistant_id: str | None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class OrgClosed:
    """A clinic was deleted; nothing of it follows."""


# --- toolset-<id>: what we did ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolRef:
    """A tool at Vapi, with the definition that it was made from."""

    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str


@dataclass(frozen=True, slots=True)
class ToolRegistrationStarted:
    """``POST /tool`` is about to be sent. Without an answer in the log it may or may not have happened."""

    attempt_id: UUID
    account: str
    name: str
    definition_version: int
    definition_hash: str


@dataclass(frozen=True, slots=True)
class ToolRegistered:
    """The org has this tool. ``adopted``: found at Vapi after an answer was lost, not made by this attempt's answer."""

    attempt_id: UUID
    account: str
    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str
    answer_hash: str
    adopted: bool
    vapi_version: str | None = None
    """Vapi's label of the tool's version, which an assistant may pin."""


@dataclass(frozen=True, slots=True)
class ToolUpdateStarted:
    """``PATCH /tool`` is about to be sent: the definition is another one than the org's tool was made from."""

    attempt_id: UUID
    account: str
    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str


@dataclass(frozen=True, slots=True)
class ToolUpdated:
    """The org's tool now has this definition; its id, and so every link to it, stays."""

    attempt_id: UUID
    account: str
    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str
    answer_hash: str
    vapi_version: str | None = None


@dataclass(frozen=True, slots=True)
class ToolVanished:
    """The org's tool does not exist at Vapi any more: somebody deleted it there. It is registered anew."""

    account: str
    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str


RetireReason = Literal["tier", "setting", "unused", "closed"]
"""Why an org does not want a tool any more. ``unused``: it has no assistant left."""


@dataclass(frozen=True, slots=True)
class ToolRetired:
    """The org does not want this tool any more. It is deleted at Vapi after ``delete_at``, unless somebody links it."""

    account: str
    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str
    reason: RetireReason
    delete_at: datetime


@dataclass(frozen=True, slots=True)
class ToolReinstated:
    """A retired tool is wanted again before it was deleted: it keeps its id."""

    account: str
    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str


@dataclass(frozen=True, slots=True)
class ToolDeleteStarted:
    """``DELETE /tool`` of a retired tool is about to be sent. Without an answer, the id is never linked again."""

    attempt_id: UUID
    account: str
    name: str
    vapi_tool_id: str
    delete_at: datetime


@dataclass(frozen=True, slots=True)
class ToolDeleted:
    """The retired tool does not exist at Vapi any more."""

    attempt_id: UUID
    account: str
    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str


@dataclass(frozen=True, slots=True)
class SurplusFound:
    """A tool with our marker that is not the org's tool of this name: two workers raced. ``created_at`` is ours."""

    account: str
    name: str
    vapi_tool_id: str
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class SurplusSearched:
    """Vapi was asked for surplus tools of these names; registrations closed up to ``through`` are accounted for."""

    names: tuple[str, ...]
    through: datetime


@dataclass(frozen=True, slots=True)
class SweepStarted:
    """The assistants of the account are about to be listed, to see whether anybody links these tools."""

    vapi_tool_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SurplusDeleteStarted:
    """``DELETE /tool`` of a surplus tool is about to be sent."""

    attempt_id: UUID
    account: str
    name: str
    vapi_tool_id: str


@dataclass(frozen=True, slots=True)
class SurplusDeleted:
    """The surplus tool does not exist at Vapi any more."""

    attempt_id: UUID
    account: str
    name: str
    vapi_tool_id: str


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


AttemptEnd = Literal["not_sent", "refused", "unknown", "absent"]
"""How an attempt failed. ``not_sent``: nothing left this process; ``refused``: Vapi answered that it did not do it;
``unknown``: it may have happened, so the attempt stays open until the settle time; ``absent``: looked after the settle
time, and it had not happened."""


@dataclass(frozen=True, slots=True)
class SyncAttemptFailed:
    """A step failed. ``subject`` is ``tool:<name>``, ``agent:<id>``, ``surplus:<tool id>``, ``sweep`` or ``search``.

    The next try is due at ``retry_at``.

    ``failures`` counts in a row; ``retry_at`` is null where only a new save, another definition or an operator helps.
    ``attempt_id`` is null where a read failed, which needs no attempt. Not ``counted``: the key was paused by it, or
    nothing was tried; it only says what became of the attempt, and the subject is as it was before.
    """

    subject: str
    attempt_id: UUID | None
    end: AttemptEnd
    code: str
    failures: int
    retry_at: datetime | None
    definition_hash: str | None = None
    counted: bool = True
    assistant_id: str | None = None
    """The assistant that a look was about; its agent may have another one by now."""


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


# --- blueprint-<tool> -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BlueprintPublished:
    """A version of a tool's definition is what every org of the tier, or a higher one, gets from now on.

    ``document`` is what is registered at Vapi, with the nil UUID in the place of the org's; null in old events.
    """

    name: str
    version: int
    tier: str
    asynchronous: bool
    definition_hash: str
    document: dict[str, Any] | None = None


OrgEvent = (
    OrgRegistered
    | OrgTierChanged
    | ToolSettingChanged
    | RetryRequested
    | SyncRequested
    | RequestUnreadable
    | TrafficSplitSeen
    | ToolDriftSeen
    | AssistantRemoved
    | OrgClosed
)
ToolsetEvent = (
    ToolRegistrationStarted
    | ToolRegistered
    | ToolUpdateStarted
    | ToolUpdated
    | ToolVanished
    | ToolRetired
    | ToolReinstated
    | ToolDeleteStarted
    | ToolDeleted
    | SurplusFound
    | SurplusSearched
    | SweepStarted
    | SurplusDeleteStarted
    | SurplusDeleted
    | AssistantLinkStarted
    | AssistantLinked
    | SyncAttemptFailed
    | AssistantSynced
    | AssistantSyncFailed
    | AssistantDiverged
    | DriftDetected
    | OrgSettled
)
BlueprintEvent = BlueprintPublished
Event = OrgEvent | ToolsetEvent | BlueprintEvent

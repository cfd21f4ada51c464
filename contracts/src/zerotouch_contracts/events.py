"""The messages on Kafka.

``assistants.v1`` holds what assistant-api says, ``tool-sync.outcomes.v1`` what tool-sync says, ``tool-calls.v1`` that
tool calls were handled, ``erasures.v1`` that patients were erased; those of ``tool-sync.fleet.v1`` are in
:mod:`.fleet`. Schemas only grow: a new field is optional with a default, no field is removed, renamed or narrowed, and
a reader ignores what it does not know.

Every save ends in exactly one outcome: each ``AssistantSaved`` is named by its request id in exactly one
``ToolsSynced`` or ``ToolSyncFailed``.
"""

from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.text import Identifier, Sha256Hex, Storable, TraceId

REQUESTS_PER_OUTCOME_MAX: Final = 100
"""More settled requests than this go into further outcomes."""
ERASED_NAMES_MAX: Final = 100
"""Of one patient: each form in which a number was said is one."""

Tier = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9-]*$")]
SaveCause = Literal["save", "sync", "auto_sync", "repair"]
"""``save``: the row was written, over HTTP or SQL; ``sync``, ``auto_sync``: somebody asked; ``repair``: assistant-api
wrote its revision again because something older was found at Vapi."""
OutcomeCause = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z][a-z_]*$")]
"""Why an outcome came that no save asked for. Open; now ``recovered``, ``tier``, ``setting``, ``pin``, ``rollout``,
``halt`` and ``drift``."""
ToolName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
Revision = Annotated[int, Field(ge=1, le=2**53 - 1)]
SEQUENCE_MAX: Final = 2**53 - 1
Sequence = Annotated[int, Field(ge=1, le=SEQUENCE_MAX)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), Storable]
TimeZone = Annotated[str, StringConstraints(min_length=1, max_length=64), Storable]
"""A name of the IANA time zone database. Open: a reader's database may be older than the producer's, and lack it."""
Code = Annotated[str, StringConstraints(pattern=r"^TS-[0-9]{3}$")]
"""A code of the error catalogue. Open: a reader may meet a newer code than it knows."""


def _is_absent(value: object) -> bool:
    """Fields that came later are left out where they say nothing: what was sent before stays the same to the byte."""
    return value is None


class Message(BaseModel):
    """What all messages share: immutable, and unknown fields of a newer schema are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    TYPE: ClassVar[str]
    org_id: UUID


class OrganizationSaved(Message):
    """A clinic was created (revision 1) or changed.

    ``name`` is the clinic's id, as text: a name may be a person's, and what is said here is kept for ever. What it is
    called says :mod:`zerotouch_contracts.names`.
    """

    TYPE: ClassVar[str] = "zerotouch.OrganizationSaved.v1"
    revision: Revision
    name: Name
    tier: Tier = "basic"
    time_zone: TimeZone | None = Field(default=None, exclude_if=_is_absent)
    """By what clock the clinic's hours are meant. None: as it was, and UTC where none was ever named."""


class OrganizationDeleted(Message):
    """A clinic was deleted; nothing of it follows."""

    TYPE: ClassVar[str] = "zerotouch.OrganizationDeleted.v1"


class AssistantSaved(Message):
    """Revision ``revision`` of an assistant is in Vapi, and its tools must be there too.

    ``assistant_id`` is Vapi's; ``model_hash`` is :func:`zerotouch_contracts.canonical.model_hash` of Vapi's answer.
    """

    TYPE: ClassVar[str] = "zerotouch.AssistantSaved.v1"
    request_id: UUID
    agent_id: Identifier
    assistant_id: Identifier
    revision: Revision
    model_hash: Sha256Hex
    cause: SaveCause
    vapi_account: Identifier | None = Field(default=None, exclude_if=_is_absent)
    """The clinic's own account at Vapi that the assistant is in (:mod:`zerotouch_contracts.accounts`). None: it is in
    the platform's. The two topics may be read in any order: whoever asks Vapi waits until both name the same one."""


class AssistantDeleted(Message):
    """An assistant was deleted."""

    TYPE: ClassVar[str] = "zerotouch.AssistantDeleted.v1"
    agent_id: Identifier
    assistant_id: Identifier | None = None
    revision: Revision | None = Field(default=None, exclude_if=_is_absent)
    """The newest revision when it was deleted; a save above it belongs to an agent made anew under the same id."""


class SyncedTool(BaseModel):
    """A tool that is registered in Vapi and linked to the assistant."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    name: ToolName
    vapi_tool_id: Identifier
    definition_version: Annotated[int, Field(ge=1)]


class FailedTool(BaseModel):
    """A wanted tool that the assistant lacks, and why."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    name: ToolName
    code: Code


class SettledRequest(BaseModel):
    """A save that this outcome answers, and its trace."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    request_id: UUID
    trace_id: TraceId | None = None


class Outcome(Message):
    """What both outcomes share. ``tools`` is the assistant's whole tool set afterwards, never a difference.

    ``sequence`` counts an org's published messages, 1, 2, 3 …: the last one + 1 is next, a lower one is a repeat, a
    higher one shows a hole. ``agent_id``, ``assistant_id`` and ``revision`` are null where the request was unreadable.
    """

    sequence: Sequence
    agent_id: Identifier | None
    assistant_id: Identifier | None
    revision: Revision | None
    vapi_account: Identifier = "platform"
    tools: tuple[SyncedTool, ...]
    failed_tools: tuple[FailedTool, ...] = ()
    requests: Annotated[tuple[SettledRequest, ...], Field(max_length=REQUESTS_PER_OUTCOME_MAX)] = ()
    cause: OutcomeCause | None = None


class ToolsSynced(Outcome):
    """The next caller of the assistant reaches every wanted tool, as far as the assistant and its tools can tell.

    ``reason``: where no tool is wanted and ``tools`` is empty, the code that says why; null otherwise.
    """

    TYPE: ClassVar[str] = "zerotouch.ToolsSynced.v1"
    reason: Code | None = Field(default=None, exclude_if=_is_absent)


class ToolSyncFailed(Outcome):
    """The assistant lacks a tool, or has one that no caller reaches; ``code`` says why. The org is looked at again.

    ``tools`` is what is linked, ``failed_tools`` what no caller reaches; a tool may be in both.
    """

    TYPE: ClassVar[str] = "zerotouch.ToolSyncFailed.v1"
    code: Code
    message: Annotated[str, StringConstraints(max_length=500), Storable] = ""


class AssistantDiverged(Message):
    """Vapi shows an older version of the assistant than the newest save; assistant-api writes ``revision`` again."""

    TYPE: ClassVar[str] = "zerotouch.AssistantDiverged.v1"
    sequence: Sequence
    agent_id: Identifier
    assistant_id: Identifier
    revision: Revision
    code: Code = ErrorCode.ASSISTANT_OUTDATED.value


class ToolCallHandled(Message):
    """A call of a tool was answered. Who called, and what was said, is nowhere but in the clinic's own rows."""

    TYPE: ClassVar[str] = "zerotouch.ToolCallHandled.v1"
    tool: ToolName
    definition_version: Annotated[int, Field(ge=1)] | None
    code: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z][a-z_]*$")]
    """What became of it. Open; now ``booked``, ``cancelled``, ``rescheduled`` and the names of refusals."""
    duration_ms: Annotated[int, Field(ge=0)]
    assistant_id: Identifier | None = Field(default=None, exclude_if=_is_absent)
    """Vapi's, as Vapi said who called the tool. None: it did not say, or the call is older than this field."""


KeyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class PatientErased(Message):
    """A patient was erased from a clinic: what was stored before ``erased_at`` under one of these names is gone.

    ``hashes``: of each name of the patient's number (E.164, and the digits in each form in which they were said), or of
    the one appointment without a number. HMAC-SHA256 with the key ``key_id`` that assistant-api alone has: who has the
    key and a number can tell whether it was erased, and nobody else learns anything.
    """

    TYPE: ClassVar[str] = "zerotouch.PatientErased.v1"
    erasure_id: UUID
    erased_at: AwareDatetime
    key_id: KeyId
    hashes: Annotated[tuple[Sha256Hex, ...], Field(min_length=1, max_length=ERASED_NAMES_MAX)]


AssistantMessage = OrganizationSaved | OrganizationDeleted | AssistantSaved | AssistantDeleted
OutcomeMessage = ToolsSynced | ToolSyncFailed | AssistantDiverged

ToolCallMessage = ToolCallHandled
ErasureMessage = PatientErased

ASSISTANT_MESSAGES: Final[tuple[type[AssistantMessage], ...]] = (
    OrganizationSaved,
    OrganizationDeleted,
    AssistantSaved,
    AssistantDeleted,
)
OUTCOME_MESSAGES: Final[tuple[type[OutcomeMessage], ...]] = (ToolsSynced, ToolSyncFailed, AssistantDiverged)
TOOL_CALL_MESSAGES: Final[tuple[type[ToolCallMessage], ...]] = (ToolCallHandled,)
ERASURE_MESSAGES: Final[tuple[type[ErasureMessage], ...]] = (PatientErased,)

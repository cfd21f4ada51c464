"""What a worker has to say: the commands that :func:`~tool_sync.domain.decider.decide` makes events of."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tool_sync.domain.events import AttemptEnd, RetireReason, ToolFailure, ToolRef
from tool_sync.domain.subject import Subject
from tool_sync.domain.toolset import Started


@dataclass(frozen=True, slots=True)
class Start:
    """Announce a write to Vapi."""

    event: Started


@dataclass(frozen=True, slots=True)
class ConfirmTool:
    """Vapi answered, or shows after the settle time, that the tool has the attempt's definition.

    ``made``: this answer made the tool; if its attempt was closed meanwhile, the tool is surplus.
    """

    attempt_id: UUID
    vapi_tool_id: str
    answer_hash: str
    adopted: bool
    made: "NoteSurplus | None" = None
    vapi_version: str | None = None


@dataclass(frozen=True, slots=True)
class ConfirmLinked:
    """Vapi answered, or shows after the settle time, that the assistant is linked."""

    attempt_id: UUID
    model_hash: str
    answer_hash: str
    vapi_version: str | None = None


@dataclass(frozen=True, slots=True)
class FailStep:
    """A step failed; see :class:`~tool_sync.domain.events.SyncAttemptFailed`.

    ``assistant_id``: the assistant that a look or a link was about; its agent may have another one by now.
    """

    subject: Subject
    attempt_id: UUID | None
    end: AttemptEnd
    code: str
    retry_at: datetime | None
    definition_hash: str | None = None
    counted: bool = True
    assistant_id: str | None = None


@dataclass(frozen=True, slots=True)
class ForgetTool:
    """Vapi answered 404 for a tool of ours."""

    account: str
    ref: ToolRef


@dataclass(frozen=True, slots=True)
class RetireTool:
    """The org does not want this tool any more, and nobody of it links it."""

    account: str
    ref: ToolRef
    reason: RetireReason
    delete_at: datetime


@dataclass(frozen=True, slots=True)
class ReinstateTool:
    """A retired tool is wanted again."""

    account: str
    ref: ToolRef


@dataclass(frozen=True, slots=True)
class BeginSweep:
    """The assistants are about to be listed, for these tools' sake."""

    vapi_tool_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfirmDeleted:
    """Vapi answered, or shows after the settle time, that the tool is not there any more."""

    attempt_id: UUID


@dataclass(frozen=True, slots=True)
class NoteSurplus:
    """A tool with our marker was seen at Vapi that may not be the org's. ``created_at`` is ours."""

    account: str
    name: str
    vapi_tool_id: str
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class EndSearch:
    """Vapi was asked for surplus tools of these names."""

    names: tuple[str, ...]
    through: datetime


@dataclass(frozen=True, slots=True)
class NoteDrift:
    """The assistant at Vapi was changed by somebody else."""

    agent_id: str
    assistant_id: str
    model_hash: str


@dataclass(frozen=True, slots=True)
class NoteDiverged:
    """Vapi keeps showing an older version than the newest save."""

    agent_id: str
    assistant_id: str
    revision: int
    model_hash: str


@dataclass(frozen=True, slots=True)
class SettleSynced:
    """An assistant was seen with all its tools. ``changed``: the last outcome named another tool set."""

    agent_id: str
    assistant_id: str
    revision: int
    account: str
    tools: tuple[ToolRef, ...]
    through: int
    changed: bool
    cause: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SettleFailed:
    """The open requests of an assistant (None: those that were unreadable) end without all tools.

    ``cause``: no request asked, and it is told all the same; None: where nothing is open, nothing is told.
    """

    agent_id: str | None
    assistant_id: str | None
    revision: int | None
    account: str
    tools: tuple[ToolRef, ...]
    failed_tools: tuple[ToolFailure, ...]
    code: str
    through: int
    look_at: datetime | None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class SettleOrg:
    """What concerned the whole org up to ``through`` is done."""

    through: int


Conclusion = RetireTool | ReinstateTool | BeginSweep | SettleSynced | SettleFailed | SettleOrg
"""What follows from a state, where everything else tells what happened. On another state it has to be drawn anew: a
tool that was not wanted may be wanted again, a save may have an outcome already."""

Command = (
    Start
    | ConfirmTool
    | ConfirmLinked
    | FailStep
    | ForgetTool
    | ConfirmDeleted
    | NoteSurplus
    | EndSearch
    | NoteDrift
    | NoteDiverged
    | Conclusion
)

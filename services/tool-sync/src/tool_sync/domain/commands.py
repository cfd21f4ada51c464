"""What a worker has to say: the commands that :func:`~tool_sync.domain.decider.decide` makes events of.

Where a worker knows every field of an event, the event itself is the command to write it: ``decide`` passes it on, or
drops it. A class here is for what needs the state as well.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tool_sync.domain import events
from tool_sync.domain.subject import Subject
from tool_sync.domain.toolset import Started


@dataclass(frozen=True, slots=True)
class ConfirmTool:
    """Vapi answered, or shows after the settle time, that the tool has the attempt's definition.

    ``made``: this answer made the tool; if its attempt was closed meanwhile, the tool is surplus.
    """

    attempt_id: UUID
    vapi_tool_id: str
    answer_hash: str
    adopted: bool
    made: events.SurplusFound | None = None
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
    end: events.AttemptEnd
    code: str
    retry_at: datetime | None
    definition_hash: str | None = None
    counted: bool = True
    assistant_id: str | None = None


@dataclass(frozen=True, slots=True)
class ConfirmDeleted:
    """Vapi answered, or shows after the settle time, that the tool is not there any more."""

    attempt_id: UUID


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
    tools: tuple[events.ToolRef, ...]
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
    tools: tuple[events.ToolRef, ...]
    failed_tools: tuple[events.ToolFailure, ...]
    code: str
    through: int
    look_at: datetime | None
    cause: str | None = None


Conclusion = (
    events.ToolRetired
    | events.ToolReinstated
    | events.ToolPinExpired
    | events.SweepStarted
    | SettleSynced
    | SettleFailed
    | events.OrgSettled
)
"""What follows from a state, where everything else tells what happened. On another state it has to be drawn anew: a
tool that was not wanted may be wanted again, a save may have an outcome already."""

Command = (
    Started
    | ConfirmTool
    | ConfirmLinked
    | FailStep
    | events.ToolVanished
    | events.ToolTextLost
    | ConfirmDeleted
    | events.SurplusFound
    | events.SurplusSearched
    | events.DriftDetected
    | NoteDiverged
    | Conclusion
)

"""What arrived from outside: the events of ``org-<id>``."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class OrgRegistered:
    """A clinic was created. ``time_zone`` is an IANA name; null: UTC."""

    tier: str
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class OrgTierChanged:
    """A clinic was saved again; its tier or time zone may be another one now. ``time_zone`` null: as it was."""

    tier: str
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class ToolSettingChanged:
    """A clinic's tool was switched off, or on. Off: no assistant of it gets the tool, whatever its tier.

    ``reason`` is one line of whoever set it; null where nobody gave one.
    """

    name: str
    enabled: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ToolSettingRemoved:
    """The clinic's setting of a tool was taken back: the tool is as the blueprint says."""

    name: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class ChangeWindowSet:
    """Orders change the clinic's tools from one local time (``HH:MM``) to another only, every day."""

    opens: str
    closes: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeWindowRemoved:
    """Orders change the clinic's tools at any time again."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class ToolOrdered:
    """An order, or the end of one, makes the org get or lose a tool: all its assistants are looked through.

    ``order`` is the rollout that is followed; null where no order is left. ``halt``: the tool is to go everywhere, now.
    """

    name: str
    order: str | None
    halt: bool = False


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """An operator asks for an assistant that lacks tools, or for all of the org's (null), to be tried again now.

    ``reason`` is one line of the operator's; null where nobody gave one, and in old events.
    """

    agent_id: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SyncRequested:
    """Revision ``revision`` of an assistant is in Vapi: its tools must be there too. This request needs an outcome.

    ``account``: the clinic's own account at Vapi that the assistant is in; null: it is in the platform's.
    """

    request_id: UUID
    agent_id: str
    assistant_id: str
    revision: int
    model_hash: str
    cause: str
    trace_id: str | None
    account: str | None = None


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
class AssistantDriftSeen:
    """An assistant was read at Vapi, and is not as its newest outcome said, or does not exist any more (``gone``)."""

    agent_id: str
    assistant_id: str
    gone: bool


@dataclass(frozen=True, slots=True)
class ToolDriftSeen:
    """A tool of the org was read at Vapi, and somebody has changed it, or deleted it (``gone``).

    ``differs`` names the parts that are not as registered, such as ``description`` and ``server``; ``found`` is the
    hash of what is there instead, as the same difference is noted once. In old events both are empty.
    """

    account: str
    name: str
    vapi_tool_id: str
    gone: bool
    differs: tuple[str, ...] = ()
    found: str | None = None


@dataclass(frozen=True, slots=True)
class ToolDriftEnded:
    """A tool that somebody had changed was read at Vapi, and is as registered again; nothing of ours did that."""

    account: str
    name: str
    vapi_tool_id: str


@dataclass(frozen=True, slots=True)
class AssistantRemoved:
    """An assistant was deleted. ``revision``: its newest then, where that is known; a save above it is a new life."""

    agent_id: str
    assistant_id: str | None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class OrgClosed:
    """A clinic was deleted; nothing of it follows."""

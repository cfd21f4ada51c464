"""Tools on their way out: retired ones, surplus ones, and the sweep that deletes both."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

RetireReason = Literal["tier", "setting", "unused", "closed", "order", "halted"]
"""Why an org does not want a tool any more. ``unused``: it has no assistant left; ``order``: no order gives it."""


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
    order: str | None = None
    fleet_position: int | None = None
    fleet_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class ToolReinstated:
    """A retired tool is wanted again before it was deleted: it keeps its id.

    That was decided on the fleet as of ``fleet_position``; null in old events.
    """

    account: str
    name: str
    vapi_tool_id: str
    definition_version: int
    definition_hash: str
    fleet_position: int | None = None
    cause: str | None = None
    fleet_sequence: int | None = None


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

"""Steps against Vapi, and the plan that names those which are due."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from tool_sync.domain.commands import Command
from tool_sync.domain.events import ToolRef
from tool_sync.domain.subject import (
    SEARCH_SUBJECT,
    SWEEP_SUBJECT,
    Subject,
    agent_subject,
    surplus_subject,
    tool_subject,
)
from tool_sync.domain.toolset import Assistant, Attempt
from tool_sync.domain.wanted import WantedTool

Lane = Literal["save", "bulk"]
"""How soon a step gets the key: a save's before all bulk work. No part of what a step is, so equal steps may differ."""


@dataclass(frozen=True, slots=True)
class RegisterTool:
    """``POST /tool``."""

    tool: WantedTool
    lane: Lane = field(default="bulk", compare=False)

    @property
    def subject(self) -> Subject:
        return tool_subject(self.tool.name)


@dataclass(frozen=True, slots=True)
class UpdateTool:
    """``PATCH /tool``: the definition changed."""

    tool: WantedTool
    current: ToolRef
    lane: Lane = field(default="bulk", compare=False)

    @property
    def subject(self) -> Subject:
        return tool_subject(self.tool.name)


@dataclass(frozen=True, slots=True)
class ResolveAttempt:
    """Look what became of a write whose answer was lost."""

    attempt: Attempt
    lane: Lane = field(default="bulk", compare=False)

    @property
    def subject(self) -> Subject:
        return self.attempt.subject


@dataclass(frozen=True, slots=True)
class LinkAssistant:
    """Read the assistant, link ``target`` where it is not linked, and remember that it was seen so."""

    assistant: Assistant
    target: tuple[ToolRef, ...]
    through: int
    unwanted: frozenset[str] = frozenset()
    """Ids of ours that no assistant may keep, whoever put them there."""
    lane: Lane = field(default="bulk", compare=False)

    @property
    def subject(self) -> Subject:
        return agent_subject(self.assistant.agent_id)


@dataclass(frozen=True, slots=True)
class DeletionCandidate:
    """A tool to delete, if nobody links it. ``delete_at`` is the end of a retired tool's grace; None: surplus."""

    name: str
    vapi_tool_id: str
    delete_at: datetime | None

    @property
    def subject(self) -> Subject:
        return surplus_subject(self.vapi_tool_id) if self.delete_at is None else tool_subject(self.name)


@dataclass(frozen=True, slots=True)
class SweepTools:
    """List the assistants, then delete those of these tools that none of them links."""

    tools: tuple[DeletionCandidate, ...]
    lane: Lane = field(default="bulk", compare=False)

    @property
    def subject(self) -> Subject:
        return SWEEP_SUBJECT


@dataclass(frozen=True, slots=True)
class SearchSurplus:
    """List the tools made since ``since``, and note those with our marker that the log does not know."""

    names: tuple[str, ...]
    since: datetime
    through: datetime
    lane: Lane = field(default="bulk", compare=False)

    @property
    def subject(self) -> Subject:
        return SEARCH_SUBJECT


Step = RegisterTool | UpdateTool | ResolveAttempt | LinkAssistant | SweepTools | SearchSurplus


@dataclass(frozen=True, slots=True)
class Plan:
    """Effects to start, decisions to write down, and when to look again (None: when something arrives).

    ``steps`` are in the order in which they are to be started, those of saves first.
    """

    steps: tuple[Step, ...] = ()
    commands: tuple[Command, ...] = ()
    next_due: datetime | None = None
    look_org_wide: bool = False
    """The run should look through the org for assistants that are not as wanted, and ask again."""
    ahead: tuple[LinkAssistant, ...] = ()
    """Links of saves that wait for a tool alone: their assistants may be read meanwhile."""


NOTHING: Final = Plan()
"""The part of a plan that has nothing to say; the same value each time, as most parts are silent in most plans."""

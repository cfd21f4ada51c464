"""Everything that a plan depends on, as one value: the log's state, what is wanted, the time, what the run has seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tool_sync.domain.events import ToolRef
from tool_sync.domain.pauses import Pause
from tool_sync.domain.reach import Obstacle
from tool_sync.domain.toolset import Assistant, Toolset
from tool_sync.domain.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Policy:
    """How long things may take; the reasons are in the settings."""

    settle: timedelta
    give_up: timedelta
    look_again: timedelta
    diverged_look: timedelta
    diverged_give_up: timedelta
    retry_seconds_base: float
    retry_seconds_max: float
    tool_grace: timedelta = timedelta(hours=24)
    surplus_age: timedelta = timedelta(hours=1)
    sweep_every: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ObservedLink:
    """In this run the assistant was looked at, after everything up to ``through`` had been loaded.

    ``tools`` are those that it was to have. It has them, unless it is ``another`` clinic's and nothing was linked.
    ``obstacles`` are what stands between its callers and them.
    """

    tools: tuple[ToolRef, ...]
    through: int
    obstacles: tuple[Obstacle, ...] = ()
    another: bool = False


@dataclass(frozen=True, slots=True)
class OrgWide:
    """What this run found when it looked through the org, for a change that concerns all of it.

    ``agents`` are a page of the assistants whose newest outcome named other tools than ``target``, without those that
    this run has taken up already; ``is_last``: no other page follows. ``has_assistants``: the org has an assistant.
    """

    target: tuple[ToolRef, ...]
    agents: frozenset[str]
    has_assistants: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class RunProgress:
    """What this run knows beyond the log: assistants seen linked, subjects at work, and org-wide work found."""

    seen: Mapping[str, ObservedLink] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()
    org_wide: OrgWide | None = None
    page: tuple[str, ...] | None = None
    """The assistants with work that the run looks at for now; None: all. A plan's cost is that of its page."""


@dataclass(frozen=True, slots=True)
class Situation:
    """One org at one moment. ``assistants`` holds the rows of those with work; ``pauses`` are the key's."""

    state: Toolset
    assistants: Mapping[str, Assistant]
    wanted: Wanted
    now: datetime
    policy: Policy
    progress: RunProgress
    account: str
    pauses: Sequence[Pause] = ()

"""What this process knows of itself and no table has: its workers, what it leads, how far it reads, its settings."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tool_sync.console.oidc.provider import Provider
from tool_sync.console.sandbox_dials import SandboxDials
from tool_sync.queries.coverage import CoverageCount
from zerotouch_platform.settings import SettingShown


@dataclass(frozen=True, slots=True)
class Reader:
    """A member of a group that reads a topic. ``behind_seconds``: since the group had read everything; infinite while
    unknown. ``problem``: why this member reads nothing."""

    topic: str
    behind_seconds: float
    problem: str | None


@dataclass(frozen=True, slots=True)
class Parts:
    """What there is once the database has answered. ``leads``: by topic, whether this process leads its relay."""

    leads: Callable[[], Mapping[str, bool]]
    readers: Callable[[], tuple[Reader, ...]]
    signs: Callable[[], str | None]
    """Why no head is signed; None where heads are, or another process leads."""


@dataclass(slots=True)
class Process:
    """``parts`` is None while the process starts, and where it serves the console alone. ``sandbox``: the dials of
    Vapi's, where that is on this machine."""

    settings: tuple[SettingShown, ...] = ()
    workers: Callable[[], Awaitable[Mapping[str, Any]]] | None = None
    sandbox: SandboxDials | None = None
    parts: Parts | None = None
    provider: Provider | None = None
    """With whom people sign in, if with anybody."""
    coverage: CoverageCount = field(default_factory=CoverageCount)
    """The one count of this process: its metrics have it, too."""
    is_console_alone: bool = False

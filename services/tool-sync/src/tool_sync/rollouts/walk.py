"""One walk of the feeder over the clinics: how far it is, whom it has fed, and what it has counted."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tool_sync.domain.fleet import Fleet
from tool_sync.domain.fleet.decide import decide_tool
from tool_sync.domain.fleet.work import ClinicFacts, work_of
from tool_sync.rollouts.gates import CallsSeen, DryRunSeen
from tool_sync.rollouts.read_back import ReadBack


@dataclass(slots=True)
class ClinicWalk:
    """For one tool, since the fleet changed at ``position``.

    ``older``: leases that were held when that was read; their runs may still decide by the fleet before it.
    ``given``: clinics that the open order gives its version, ``refused``: those of them whose tool Vapi refuses.
    ``said``: what was told to people last. ``calls`` and ``dry_run``: what a gate saw last. ``later``: clinics that
    wait for their change window, ``later_given`` those of them that wait for the open order; ``opens_at``: when the
    first of their windows opens, in the zone ``opens_in``. ``looked_at``: when it was last
    looked who of the fed is done.
    """

    position: int
    older: Collection[UUID] = frozenset()
    after: UUID | None = None
    stride: int = 1
    """How many times what there is room for the next page reads: more where little of the last one differed."""
    ended: bool = False
    ended_at: float = 0.0
    found: int = 0
    given: int = 0
    refused: int = 0
    fed: dict[UUID, float] = field(default_factory=dict)
    read_back: ReadBack | None = None
    calls: CallsSeen | None = None
    calls_at: float = float("-inf")
    dry_run: DryRunSeen | None = None
    said: str | None = None
    has_said: bool = False
    later: int = 0
    later_given: int = 0
    opens_at: datetime | None = None
    opens_in: str = ""
    noted: tuple[int, datetime | None] | None = None
    looked_at: float | None = None

    def count(self, fleet: Fleet, tool: str, facts: ClinicFacts) -> None:
        """A clinic was passed: is it of the open order?"""
        made, work = decide_tool(facts.clinic, fleet, tool), work_of(facts, fleet, tool)
        if made.rule == "order" and made.order is fleet.open_order(tool) and work != "unused":
            self.given += 1
            self.refused += work == "refused"
        if made.rule == "window" and made.order is fleet.open_order(tool):
            self.later_given += 1

    def waits(self, opens_at: datetime, time_zone: str) -> None:
        """One clinic more waits for its window."""
        self.later += 1
        if self.opens_at is None or opens_at < self.opens_at:
            self.opens_at, self.opens_in = opens_at, time_zone

    def half_done_in(self, now: float, done: int) -> float:
        """Seconds until half of who is fed will be done, at the pace of ``done`` since it was asked last."""
        since, self.looked_at = self.looked_at, now
        if since is None:
            return 0.0
        return (now - since) * len(self.fed) / 2 / done if done else float("inf")

    def again(self) -> None:
        """From the beginning: something differed at the last time."""
        self.after, self.ended, self.found, self.given, self.refused = None, False, 0, 0, 0
        self.later, self.later_given, self.opens_at = 0, 0, None

"""Orders: which clinics should have which version of a tool. The events of ``rollout-<id>``; they belong to no org.

planned ─► running ⇄ paused ─► completed | aborted | rolled back | expired
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

RINGS: int = 10_000
"""A clinic's ring is a number below this, the same for ever; 100 rings are one percent of the clinics."""


@dataclass(frozen=True, slots=True)
class RolloutStage:
    """Clinics that get an order together: those of ``orgs``, and of ``tiers`` (none named: of all) those below a ring.

    ``bake_seconds``: the next stage opens so long after everything of this one was done, at the earliest.
    ``gate_calls``: and not before so many of its calls were judged, 0: calls are not looked at. ``gate_hours``: after
    so long it opens with fewer of them, if none speaks against it; 0: never.
    """

    name: str
    ring_below: int = 0
    tiers: tuple[str, ...] = ()
    orgs: tuple[str, ...] = ()
    bake_seconds: int = 0
    gate_calls: int = 0
    gate_hours: int = 0


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """What a gate saw, in numbers: calls of the new version and of what the other clinics have, and how many failed.

    ``calls``: ``thin`` where there were too few to judge and the time had come; ``not asked`` where the stage has no
    gate on calls. ``dry_runs``: clinics at which the handler was run before the stage that it opens.
    """

    calls: Literal["not asked", "not worse", "worse", "thin"]
    new_calls: int = 0
    new_failed: int = 0
    old_calls: int = 0
    old_failed: int = 0
    dry_run: Literal["not asked", "passed", "not configured", "not ours", "nobody"] = "not asked"
    dry_runs: int = 0


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """Clinics, by what the plan says of them, and the calls of Vapi's that it needs.

    ``update``: ``PATCH /tool`` alone; ``add``: the tool is made and linked; ``remove``: it is unlinked, deleted after
    the grace; ``already``: as ordered; ``left``: not now, by settings, tier or contract.
    """

    update: int
    add: int
    remove: int
    already: int
    left: int
    calls: int


@dataclass(frozen=True, slots=True)
class RolloutPlanned:
    """What an order would do, as of a position of the log. Nothing follows from it until it is started.

    ``version`` null: the tool is to go. ``digest`` covers everything that the plan says.
    """

    rollout_id: str
    tool: str
    version: int | None
    stages: tuple[RolloutStage, ...]
    counts: PlanCounts
    as_of: int
    digest: str


@dataclass(frozen=True, slots=True)
class RolloutStarted:
    """The order stands, with its first stage open; ``gated``: with none, and a gate opens the first one, too.

    A newer order of the same tool beats an older one.
    """

    rollout_id: str
    tool: str
    version: int | None
    stages: tuple[RolloutStage, ...]
    reason: str
    expires_at: datetime | None
    gated: bool = False
    fleet_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class RolloutStageOpened:
    """The stage of this number, from 0, is open, and all before it stay open.

    ``cause``: ``gate`` where everything of the stage before was read back as ordered, or whoever ordered it so.
    """

    rollout_id: str
    tool: str
    stage: int
    cause: Literal["gate", "promoted"]
    reason: str | None = None
    evidence: GateEvidence | None = None


@dataclass(frozen=True, slots=True)
class RolloutPaused:
    """No further clinic gets the order; who has it keeps it.

    ``evidence`` where tool-sync itself paused it, as calls of the new version fail more often.
    """

    rollout_id: str
    tool: str
    reason: str
    evidence: GateEvidence | None = None


@dataclass(frozen=True, slots=True)
class RolloutResumed:
    """The order goes on where it was paused."""

    rollout_id: str
    tool: str
    reason: str


@dataclass(frozen=True, slots=True)
class RolloutCompleted:
    """The order is carried out: signups get it from now on.

    ``cause``: ``gate`` where every clinic of every stage was seen to have it, ``promoted`` where a person says so,
    ``seeded`` where the log had no order of this tool yet.
    """

    rollout_id: str
    tool: str
    cause: Literal["gate", "promoted", "seeded"]
    reason: str | None = None
    evidence: GateEvidence | None = None
    fleet_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class RolloutAborted:
    """No further clinic gets the order, for good; who has it keeps it."""

    rollout_id: str
    tool: str
    reason: str
    fleet_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class RolloutExpired:
    """As aborted: a gate did not open in time."""

    rollout_id: str
    tool: str
    fleet_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class RolloutRolledBack:
    """The order is taken away: every clinic gets what it would have without it."""

    rollout_id: str
    tool: str
    reason: str
    fleet_sequence: int | None = None


OrderEvent = (
    RolloutStageOpened
    | RolloutPaused
    | RolloutResumed
    | RolloutCompleted
    | RolloutAborted
    | RolloutExpired
    | RolloutRolledBack
)
"""What can become of an order that was started."""

"""What one clinic should have of one tool: the only place that decides it, recomputable at any position of the log.

1 clinic closed           → none
2 tool halted             → none
3 its setting is off      → none
4 the candidate: newest order that holds the clinic, else none
5 tier below the version's → none
6 contract not answered   → what it has
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from tool_sync.domain.events import RetireReason, RolloutStage
from tool_sync.domain.fleet.state import Fleet, Order, Version, ring_of

TIERS: Final = ("basic", "professional", "enterprise")
"""Low to high. An org gets what its own tier and every lower one gets."""

Rule = Literal["closed", "halted", "setting", "no order", "ordered to none", "tier", "contract", "order"]


@dataclass(frozen=True, slots=True)
class Clinic:
    """What a decision depends on. ``follows``: by tool, the orders that have given it a version.

    ``since``: when its first event was recorded; None for one that nothing is known of.
    """

    org_id: str
    tier: str
    closed: bool = False
    since: datetime | None = None
    disabled: Collection[str] = frozenset()
    follows: Mapping[str, Collection[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolDecision:
    """``version`` None: none, for ``rule``; but by the rule ``contract`` it keeps what it has.

    ``order`` is the candidate.
    ``beaten`` are newer orders of the tool that do not hold the clinic, newest first.
    """

    rule: Rule
    version: Version | None = None
    order: Order | None = None
    beaten: tuple[Order, ...] = ()

    @property
    def keeps(self) -> bool:
        """Whether the clinic is to stay as it is."""
        return self.rule == "contract"

    @property
    def retire_reason(self) -> RetireReason | None:
        """Why a tool that is there goes; None where it does not."""
        match self.rule:
            case "closed" | "halted" | "setting" | "tier":
                return self.rule
            case "no order" | "ordered to none":
                return "order"
            case "contract" | "order":
                return None


def rank(tier: str) -> int:
    """A tier that this release does not know comes from a newer producer. Its org keeps what everybody gets."""
    return TIERS.index(tier) if tier in TIERS else 0


def decide_tool(clinic: Clinic, fleet: Fleet, name: str) -> ToolDecision:
    """What the clinic should have of the tool."""
    order, beaten = _candidate(clinic, fleet.orders.get(name, ()))
    version = None if order is None else fleet.version_of(order)
    if clinic.closed:
        return ToolDecision("closed", None, order, beaten)
    if name in fleet.halted:
        return ToolDecision("halted", None, order, beaten)
    if name in clinic.disabled:
        return ToolDecision("setting", None, order, beaten)
    if order is None:
        return ToolDecision("no order", None, None, beaten)
    if version is None:
        return ToolDecision("ordered to none", None, order, beaten)
    if rank(version.tier) > rank(clinic.tier):
        return ToolDecision("tier", None, order, beaten)
    if not fleet.is_answered(version):
        return ToolDecision("contract", None, order, beaten)
    return ToolDecision("order", version, order, beaten)


def _candidate(clinic: Clinic, orders: tuple[Order, ...]) -> tuple[Order | None, tuple[Order, ...]]:
    beaten: list[Order] = []
    for order in reversed(orders):
        if holds(order, clinic):
            return order, tuple(beaten)
        if order.state != "rolled_back":
            beaten.append(order)
    return None, tuple(beaten)


def holds(order: Order, clinic: Clinic) -> bool:
    """Whether the order gives the clinic its version: by a stage that is open, or as it followed it already."""
    match order.state:
        case "rolled_back":
            return False
        case "completed":
            return any(contains(stage, clinic) for stage in order.stages)
        case "paused" | "aborted" | "expired":
            return _follows(order, clinic)
        case "running":
            # A signup is never a canary: it joins with the last stage.
            is_signup = clinic.since is not None and clinic.since >= order.started_at
            if is_signup and not order.is_last_stage_open:
                return _follows(order, clinic)
            return _follows(order, clinic) or any(
                contains(stage, clinic) for stage in order.stages[: order.open_stage + 1]
            )


def _follows(order: Order, clinic: Clinic) -> bool:
    return order.rollout_id in clinic.follows.get(order.tool, ())


def contains(stage: RolloutStage, clinic: Clinic) -> bool:
    """Whether the clinic is of the stage: a function of the clinic alone, so that no row has to say it."""
    if clinic.org_id in stage.orgs:
        return True
    return stage.ring_below > ring_of(clinic.org_id) and (not stage.tiers or clinic.tier in stage.tiers)

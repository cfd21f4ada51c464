"""What one clinic should have of one tool: the only place that decides it, recomputable at any position of the log.

1 clinic closed           → none
2 tool halted             → none
3 its setting is off      → none
4 the candidate: its pin, else newest order that holds the clinic, else none
5 tier below the version's → none
6 contract not answered   → what it has
7 what an order would change, while the clinic's change window is closed → what it has

A pin and an order hold a definition, by its hash: a version's number may be published again, and changes neither. A pin
counts until its end is in the log, so that nothing here asks for the time. A window does not delay what a pin asks for.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from tool_sync.domain.events import RetireReason, RolloutStage
from tool_sync.domain.fleet.state import Fleet, Order, Version, ring_of
from tool_sync.domain.toolset import ClinicPin

TIERS: Final = ("basic", "professional", "enterprise")
"""Low to high. An org gets what its own tier and every lower one gets."""

Rule = Literal[
    "closed", "halted", "setting", "no order", "ordered to none", "tier", "contract", "window", "pinned", "order"
]


@dataclass(frozen=True, slots=True)
class Clinic:
    """What a decision depends on. ``follows``: by tool, the orders that have given it a version.

    ``since``: when its first event was recorded; None for one that nothing is known of. ``opens_at``: its change window
    is closed until then; None: it is open, or it has none. The fields after it matter while the window is closed.
    """

    org_id: str
    tier: str
    closed: bool = False
    since: datetime | None = None
    disabled: Collection[str] = frozenset()
    follows: Mapping[str, Collection[str]] = field(default_factory=dict)
    pins: Mapping[str, ClinicPin] = field(default_factory=dict)
    opens_at: datetime | None = None
    kept: Mapping[str, str] = field(default_factory=dict)
    """By tool, the hash of the definition that it had last, unless an order has taken the tool from it since."""
    kept_since: int | None = None
    """The position since which it has tools at all; None: it has none."""
    chosen_at: Mapping[str, int] = field(default_factory=dict)
    """By tool, the position of its newest setting."""
    tier_at: int = 0
    """The position at which its tier changed."""
    begun: Mapping[str, str | None] = field(default_factory=dict)
    """By tool, the order by which its assistants were told to get or lose it; None: as no order is left."""


@dataclass(frozen=True, slots=True)
class ToolDecision:
    """``version`` None: none, for ``rule``; but by the rules ``contract`` and ``window`` it keeps what it has.

    ``order`` is the newest order that holds the clinic: the candidate, unless ``pin`` is. ``gives`` is the candidate's
    version. ``beaten`` are newer orders of the tool that do not hold the clinic, newest first.
    """

    rule: Rule
    version: Version | None = None
    order: Order | None = None
    beaten: tuple[Order, ...] = ()
    pin: ClinicPin | None = None
    gives: Version | None = None

    @property
    def follows(self) -> str | None:
        """The rollout that the clinic's version is by, or its having none; None where something else decides."""
        return self.order.rollout_id if self.order is not None and self.rule in ("order", "ordered to none") else None

    @property
    def keeps(self) -> bool:
        """Whether the clinic is to stay as it is."""
        return self.rule in ("contract", "window")

    @property
    def retire_reason(self) -> RetireReason | None:
        """Why a tool that is there goes; None where it does not."""
        match self.rule:
            case "closed" | "halted" | "setting" | "tier":
                return self.rule
            case "no order" | "ordered to none":
                return "order"
            case "contract" | "window" | "pinned" | "order":
                return None


def rank(tier: str) -> int:
    """A tier that this release does not know comes from a newer producer. Its org keeps what everybody gets."""
    return TIERS.index(tier) if tier in TIERS else 0


def decide_tool(clinic: Clinic, fleet: Fleet, name: str) -> ToolDecision:
    """What the clinic should have of the tool."""
    made = _decide(clinic, fleet, name)
    if clinic.opens_at is not None and waits_for_window(clinic, fleet, name, made):
        return ToolDecision("window", None, made.order, made.beaten)
    return made


def _decide(clinic: Clinic, fleet: Fleet, name: str) -> ToolDecision:
    order, beaten = _candidate(clinic, fleet.orders.get(name, ()))
    pin = _pin(clinic, fleet, name)
    version = fleet.hashes[name, pin.definition_hash] if pin is not None else None if order is None else order.gives
    rule = _rule(clinic, fleet, name, order, pin, version)
    return ToolDecision(rule, version if rule in ("pinned", "order") else None, order, beaten, pin, version)


def _rule(
    clinic: Clinic, fleet: Fleet, name: str, order: Order | None, pin: ClinicPin | None, version: Version | None
) -> Rule:
    """The first that applies."""
    if clinic.closed:
        return "closed"
    if name in fleet.halted:
        return "halted"
    if name in clinic.disabled:
        return "setting"
    if version is None:
        return "no order" if order is None else "ordered to none"
    if rank(version.tier) > rank(clinic.tier):
        return "tier"
    if not fleet.is_answered(version):
        return "contract"
    return "order" if pin is None else "pinned"


def decisions(clinic: Clinic, fleet: Fleet, name: str) -> tuple[ToolDecision, ...]:
    """What decides, and then what would decide without that, one after the other: the rules that it beats."""
    found = [decide_tool(clinic, fleet, name)]
    while (without := _without(found[-1], clinic, fleet, name)) is not None:
        clinic, fleet = without
        found.append(decide_tool(clinic, fleet, name))
    return tuple(found)


def _without(made: ToolDecision, clinic: Clinic, fleet: Fleet, name: str) -> tuple[Clinic, Fleet] | None:
    """The clinic and the fleet as if the rule did not apply; None for what only another order can change."""
    match made.rule:
        case "closed":
            return replace(clinic, closed=False), fleet
        case "halted":
            return clinic, replace(fleet, halted={one: why for one, why in fleet.halted.items() if one != name})
        case "setting":
            return replace(clinic, disabled=frozenset(clinic.disabled) - {name}), fleet
        case "tier":
            assert made.gives is not None, "nothing is given that could be for a tier"
            return clinic, _for_every_tier(fleet, made.gives)
        case "contract":
            assert made.gives is not None, "nothing is given that could have a contract"
            return clinic, replace(fleet, answered=fleet.answered | {(name, made.gives.contract)})
        case "window":
            return replace(clinic, opens_at=None), fleet
        case "pinned":
            return replace(clinic, pins={one: pin for one, pin in clinic.pins.items() if one != name}), fleet
        case "no order" | "ordered to none" | "order":
            return None


def _for_every_tier(fleet: Fleet, version: Version) -> Fleet:
    """The version's tier alone: another tier of the clinic's would put it into other stages."""
    lowest, key = replace(version, tier=TIERS[0]), (version.name, version.definition_hash)
    orders = tuple(
        replace(order, gives=lowest) if order.gives == version else order
        for order in fleet.orders.get(version.name, ())
    )
    return replace(
        fleet,
        hashes={**fleet.hashes, key: lowest},
        orders={**fleet.orders, version.name: orders} if orders else fleet.orders,
    )


def _pin(clinic: Clinic, fleet: Fleet, name: str) -> ClinicPin | None:
    """The clinic's pin of the tool. What this fleet has not seen published yet nobody can be pinned to."""
    pin = clinic.pins.get(name)
    return pin if pin is not None and (name, pin.definition_hash) in fleet.hashes else None


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


def waits_for_window(clinic: Clinic, fleet: Fleet, name: str, made: ToolDecision) -> bool:
    """Whether the decision waits for the clinic's window, which is closed: an order brings it, and nothing else does.

    What was taken from the clinic by anything but an order, it gets back as it was. What callers could not use, a
    version of a higher tier or one that nobody answers, is not held on to.
    """
    if made.rule not in ("order", "ordered to none", "no order", "tier"):
        return False
    kept = clinic.kept.get(name)
    if made.version is not None and made.version.definition_hash == kept:
        return False
    if kept is not None:
        order = None if made.order is None else made.order.rollout_id
        if made.version is None and name in clinic.begun and clinic.begun[name] == order:
            return False  # its assistants are losing it, and those that have would get it back for a day
        version = fleet.hashes.get((name, kept))
        return version is not None and rank(version.tier) <= rank(clinic.tier) and fleet.is_answered(version)
    if made.version is None or clinic.kept_since is None:
        return False
    # A tool more: brought by an order that came after the clinic had tools, and after what it chose itself.
    return max(clinic.kept_since, clinic.tier_at, clinic.chosen_at.get(name, 0)) < fleet.ordered_at.get(name, 0)

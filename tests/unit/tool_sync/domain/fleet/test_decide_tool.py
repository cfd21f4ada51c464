"""What one clinic gets of one tool: every rule, every state of an order, and whom a stage holds."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

import pytest

from tool_sync.domain.events import (
    FleetEvent,
    RetireReason,
    RolloutAborted,
    RolloutExpired,
    RolloutPaused,
    RolloutResumed,
    RolloutRolledBack,
    RolloutStageOpened,
    ToolHalted,
)
from tool_sync.domain.fleet import Clinic, Rule, ToolDecision, decide_tool
from tool_sync.domain.fleet.decide import TIERS

from ..builders import after
from ..fleets import (
    EVERYBODY,
    ORG,
    OTHERS,
    OWN,
    completed,
    fleet_of,
    ordered,
    published,
    started,
)

BEFORE_ALL: datetime = after(0)
CLINIC = Clinic(str(ORG), "basic", since=BEFORE_ALL)
FOLLOWS = replace(CLINIC, follows={"book": ("r-2",)})
CLOSED = replace(CLINIC, closed=True)
OFF = replace(CLINIC, disabled={"book"})

# Version 1 is ordered for everybody, and r-2 orders version 2: first for others than the clinic, then for it.
OLD = (published(), published(version=2), *ordered("r-1"))
R2 = started("r-2", 2, (OTHERS, OWN))
OPEN_NEXT = RolloutStageOpened("r-2", "book", 1, "gate")
PAUSED, RESUMED = RolloutPaused("r-2", "book", "why"), RolloutResumed("r-2", "book", "why")
ABORTED, EXPIRED = RolloutAborted("r-2", "book", "why"), RolloutExpired("r-2", "book")
ROLLED_BACK = RolloutRolledBack("r-2", "book", "why")
HALTED = ToolHalted("book", "why")


def decided(*events: FleetEvent, clinic: Clinic = CLINIC, answered: Collection[tuple[str, int]] = ()) -> ToolDecision:
    return decide_tool(clinic, fleet_of(*events, answered=answered), "book")


def version_of(made: ToolDecision) -> int | None:
    return None if made.version is None else made.version.version


# --- the rules, in their order ------------------------------------------------------------------------------------

HIGHER = (published(tier="professional", contract=1), *ordered("r-1"))


@pytest.mark.parametrize(
    ("events", "clinic", "rule", "version", "reason"),
    [
        pytest.param(OLD, CLINIC, "order", 1, None, id="ordered"),
        pytest.param(OLD, CLOSED, "closed", None, "closed", id="closed"),
        pytest.param((*OLD, HALTED), CLINIC, "halted", None, "halted", id="halted"),
        pytest.param(OLD, OFF, "setting", None, "setting", id="switched off"),
        pytest.param((published(),), CLINIC, "no order", None, "order", id="published alone"),
        pytest.param((*OLD, *ordered("r-2", None)), CLINIC, "ordered to none", None, "order", id="ordered away"),
        pytest.param(
            (published(tier="enterprise"), *ordered("r-1")), CLINIC, "tier", None, "tier", id="for a higher tier"
        ),
        pytest.param((published(contract=1), *ordered("r-1")), CLINIC, "contract", None, None, id="not answered"),
    ],
)
def test_each_rule_decides_alone_and_says_why_a_tool_that_is_there_goes(
    events: tuple[FleetEvent, ...], clinic: Clinic, rule: Rule, version: int | None, reason: RetireReason | None
) -> None:
    made = decided(*events, clinic=clinic)

    assert (made.rule, version_of(made), made.retire_reason) == (rule, version, reason)
    assert made.keeps == (rule == "contract")


@pytest.mark.parametrize(
    ("events", "clinic", "rule"),
    [
        pytest.param((*HIGHER, HALTED), replace(CLOSED, disabled={"book"}), "closed", id="closed before halted"),
        pytest.param((*HIGHER, HALTED), OFF, "halted", id="halted before its setting"),
        pytest.param((*HIGHER, *ordered("r-2", None)), OFF, "setting", id="its setting before what is ordered away"),
        pytest.param((published(tier="professional"),), OFF, "setting", id="its setting before no order"),
        pytest.param((*HIGHER, *ordered("r-2", None)), CLINIC, "ordered to none", id="ordered away before the tier"),
        pytest.param(HIGHER, CLINIC, "tier", id="the tier before the contract"),
    ],
)
def test_the_first_rule_that_matches_decides(events: tuple[FleetEvent, ...], clinic: Clinic, rule: Rule) -> None:
    assert decided(*events, clinic=clinic).rule == rule


@pytest.mark.parametrize("clinic", [CLOSED, OFF], ids=["closed", "switched off"])
def test_the_order_that_would_count_is_named_also_where_another_rule_decides(clinic: Clinic) -> None:
    for events in (OLD, (*OLD, HALTED)):
        made = decided(*events, clinic=clinic)
        assert made.order is not None
        assert made.order.rollout_id == "r-1"


@pytest.mark.parametrize("tier", [*TIERS, "a tier of a later release"])
@pytest.mark.parametrize("needed", TIERS)
def test_a_version_is_for_its_tier_and_all_above_and_a_tier_that_is_not_known_is_the_lowest(
    tier: str, needed: str
) -> None:
    made = decided(published(tier=needed), *ordered("r-1"), clinic=replace(CLINIC, tier=tier))
    rank = TIERS.index(tier) if tier in TIERS else 0

    assert made.rule == ("order" if rank >= TIERS.index(needed) else "tier")


def test_the_contract_counts_that_the_ordered_version_has() -> None:
    events = (published(contract=1), published(version=2, contract=2), *ordered("r-1"), *ordered("r-2", 2))

    assert decided(*events, answered=[("book", 1), ("other", 2)]).keeps
    assert version_of(decided(*events, answered=[("book", 2)])) == 2


def test_what_another_service_answers_needs_no_contract_of_ours() -> None:
    assert decided(published(contract=0), *ordered("r-1")).rule == "order"


# --- which order holds the clinic ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "new", "following"),
    [
        pytest.param((R2,), 1, 2, id="running, its stage closed"),
        pytest.param((R2, OPEN_NEXT), 2, 2, id="running, its stage open"),
        pytest.param((R2, PAUSED), 1, 2, id="paused before its stage"),
        pytest.param((R2, OPEN_NEXT, PAUSED), 1, 2, id="paused in its stage"),
        pytest.param((R2, OPEN_NEXT, PAUSED, RESUMED), 2, 2, id="resumed in its stage"),
        pytest.param((R2, PAUSED, RESUMED), 1, 2, id="resumed before its stage"),
        pytest.param((R2, OPEN_NEXT, ABORTED), 1, 2, id="aborted"),
        pytest.param((R2, OPEN_NEXT, PAUSED, ABORTED), 1, 2, id="paused and aborted"),
        pytest.param((R2, OPEN_NEXT, EXPIRED), 1, 2, id="expired"),
        pytest.param((R2, OPEN_NEXT, completed("r-2")), 2, 2, id="completed"),
        pytest.param((R2, completed("r-2")), 2, 2, id="completed with a stage that was never opened by itself"),
        pytest.param((R2, ROLLED_BACK), 1, 1, id="rolled back while it ran"),
        pytest.param((R2, OPEN_NEXT, PAUSED, ROLLED_BACK), 1, 1, id="rolled back while it was paused"),
        pytest.param((R2, OPEN_NEXT, ABORTED, ROLLED_BACK), 1, 1, id="rolled back after it was aborted"),
        pytest.param((R2, OPEN_NEXT, EXPIRED, ROLLED_BACK), 1, 1, id="rolled back after it had expired"),
        pytest.param((R2, OPEN_NEXT, completed("r-2"), ROLLED_BACK), 1, 1, id="rolled back after it was completed"),
    ],
)
def test_what_a_clinic_gets_in_each_state_of_an_order_new_to_it_and_following_it(
    events: tuple[FleetEvent, ...], new: int, following: int
) -> None:
    assert version_of(decided(*OLD, *events)) == new
    assert version_of(decided(*OLD, *events, clinic=FOLLOWS)) == following


def test_the_stages_that_were_opened_before_stay_open() -> None:
    first = started("r-2", 2, (OWN, OTHERS, EVERYBODY))

    for events in ((first,), (first, OPEN_NEXT), (first, OPEN_NEXT, replace(OPEN_NEXT, stage=2))):
        assert version_of(decided(*OLD, *events)) == 2


def test_a_completed_order_holds_nobody_beyond_its_stages() -> None:
    made = decided(*OLD, started("r-2", 2, (OTHERS,)), completed("r-2"))

    assert version_of(made) == 1
    assert [order.rollout_id for order in made.beaten] == ["r-2"]


def test_newer_orders_that_do_not_hold_the_clinic_are_told_newest_first_without_those_that_were_taken_away() -> None:
    events = (
        started("r-2", 2, (OTHERS, OWN)), RolloutPaused("r-2", "book", "why"),
        started("r-3", 2, (OWN,)), RolloutRolledBack("r-3", "book", "why"),
        started("r-4", 2, (OTHERS, OWN)),
    )  # fmt: skip
    made = decided(*OLD, *events)

    assert made.order is not None
    assert (made.order.rollout_id, [order.rollout_id for order in made.beaten]) == ("r-1", ["r-4", "r-2"])


def test_an_order_that_holds_nobody_beats_none_where_there_is_no_older_one() -> None:
    made = decided(published(version=2), R2)

    assert (made.rule, made.order, [order.rollout_id for order in made.beaten]) == ("no order", None, ["r-2"])


def test_a_rolled_back_order_gives_the_one_before_it_again_or_none() -> None:
    third = (published(version=3), *ordered("r-3", 3))
    taken = RolloutRolledBack("r-3", "book", "why")

    assert version_of(decided(*OLD, *ordered("r-2", 2), *third, taken, clinic=FOLLOWS)) == 2
    assert version_of(decided(*OLD, *ordered("r-2", 2), *third, taken, ROLLED_BACK, clinic=FOLLOWS)) == 1
    assert decided(*third, taken).rule == "no order"


def test_an_order_to_none_is_an_order_like_any_other() -> None:
    away = started("r-2", None, (OTHERS, OWN))

    assert version_of(decided(*OLD, away)) == 1
    assert decided(*OLD, away, OPEN_NEXT).rule == "ordered to none"
    assert version_of(decided(*OLD, away, OPEN_NEXT, ROLLED_BACK, clinic=FOLLOWS)) == 1
    assert version_of(decided(*OLD, *ordered("r-2", None), *ordered("r-3"))) == 1


def test_what_a_clinic_follows_counts_for_that_tool_alone() -> None:
    other = replace(CLINIC, follows={"cancel": ("r-2",)})

    assert version_of(decided(*OLD, R2, PAUSED, clinic=other)) == 1

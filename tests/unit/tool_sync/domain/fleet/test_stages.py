"""Whom an order reaches: stages hold clinics by ring, tier and name, and signups join with the last of them."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from tool_sync.domain.events import FleetEvent, RolloutStage, RolloutStageOpened
from tool_sync.domain.events.rollout import RINGS
from tool_sync.domain.fleet import Clinic, decide_tool, ring_of
from tool_sync.domain.fleet.decide import contains

from ..builders import after
from ..fleets import EVERYBODY, ORG, OWN, completed, fleet_of, ordered, org_of_ring, published, started

CLINIC = Clinic(str(ORG), "basic", since=after(0))
OLD = (published(), published(version=2), *ordered("r-1"))
OPEN_NEXT = RolloutStageOpened("r-2", "book", 1, "gate")


def version_for(clinic: Clinic, *events: FleetEvent) -> int | None:
    made = decide_tool(clinic, fleet_of(*OLD, *events), "book")
    return None if made.version is None else made.version.version


# --- whom a stage holds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "holds"),
    [
        pytest.param(RolloutStage("s"), lambda _ring: False, id="nobody"),
        pytest.param(RolloutStage("s", RINGS), lambda _ring: True, id="everybody"),
        pytest.param(RolloutStage("s", 100), lambda ring: ring < 100, id="those below a ring"),
        pytest.param(RolloutStage("s", RINGS, ("enterprise",)), lambda _ring: False, id="another tier"),
        pytest.param(RolloutStage("s", 100, ("basic", "enterprise")), lambda ring: ring < 100, id="its tier and ring"),
        pytest.param(RolloutStage("s", 0, ("basic",)), lambda _ring: False, id="its tier, and no ring"),
    ],
)
def test_a_stage_holds_the_clinics_below_its_ring_and_of_its_tiers(
    stage: RolloutStage, holds: Callable[[int], bool]
) -> None:
    for org_id in (org_of_ring(100), org_of_ring(at_least=100)):
        assert contains(stage, Clinic(org_id, "basic")) == holds(ring_of(org_id))


def test_a_clinic_that_is_named_is_held_whatever_its_ring_and_tier() -> None:
    org_id = org_of_ring(at_least=9_000)
    stage = RolloutStage("own", 100, ("enterprise",), (org_id,))

    assert contains(stage, Clinic(org_id, "basic"))
    assert not contains(stage, Clinic(org_of_ring(at_least=9_000, below=9_001), "enterprise"))


def test_the_rings_edge_is_not_held() -> None:
    org_id = org_of_ring(at_least=5_000)
    ring = ring_of(org_id)

    assert contains(RolloutStage("s", ring + 1), Clinic(org_id, "basic"))
    assert not contains(RolloutStage("s", ring), Clinic(org_id, "basic"))


def test_a_clinics_ring_is_the_same_for_ever() -> None:
    """A stage that is open holds the same clinics after every upgrade, so these numbers never change."""
    assert {n: ring_of(str(UUID(int=n))) for n in range(4)} == {0: 8252, 1: 6119, 2: 3490, 3: 4067}


def test_a_hundred_rings_are_about_one_percent_of_the_clinics_and_every_wider_stage_holds_them_too() -> None:
    orgs = [str(UUID(int=n * 0x9E3779B97F4A7C15)) for n in range(10_000)]
    held = {below: {org for org in orgs if ring_of(org) < below} for below in (100, 1_000, RINGS)}

    assert 70 <= len(held[100]) <= 130  # three standard deviations
    assert 910 <= len(held[1_000]) <= 1_090
    assert held[100] < held[1_000] < held[RINGS] == set(orgs)


# --- signups ------------------------------------------------------------------------------------------------------


def signup(fleet_position: int) -> Clinic:
    """A clinic whose first event was recorded together with this event of the fleet."""
    return replace(CLINIC, since=after(fleet_position))


def test_a_signup_is_no_canary_and_joins_with_the_last_stage() -> None:
    canary = started("r-2", 2, (EVERYBODY, OWN, EVERYBODY))  # at position 5
    middle, last = replace(OPEN_NEXT, stage=1), replace(OPEN_NEXT, stage=2)

    for since in (5, 6):
        assert version_for(signup(since), canary) == 1
        assert version_for(signup(since), canary, middle) == 1
        assert version_for(signup(since), canary, middle, last) == 2
        assert version_for(signup(since), canary, completed("r-2")) == 2


@pytest.mark.parametrize("clinic", [signup(4), replace(CLINIC, since=None)], ids=["before it", "nothing is known"])
def test_a_clinic_that_was_there_before_the_order_is_no_signup(clinic: Clinic) -> None:
    assert version_for(clinic, started("r-2", 2, (EVERYBODY, OWN))) == 2


def test_an_order_with_one_stage_holds_signups_from_its_start() -> None:
    assert version_for(signup(9), started("r-2", 2)) == 2


def test_a_signup_that_follows_the_order_already_keeps_it() -> None:
    canary = started("r-2", 2, (EVERYBODY, OWN))

    assert version_for(replace(signup(9), follows={"book": ("r-2",)}), canary) == 2

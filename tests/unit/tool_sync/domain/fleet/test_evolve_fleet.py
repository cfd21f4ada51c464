"""The fleet after events: what is published, halted, planned and ordered."""

from dataclasses import replace
from datetime import datetime

import pytest

from tool_sync.domain.events import (
    AnsweredContract,
    BlueprintPublished,
    ContractsAnswered,
    FleetEvent,
    GateEvidence,
    OrgClosed,
    PlanCounts,
    RolloutAborted,
    RolloutExpired,
    RolloutPaused,
    RolloutPlanned,
    RolloutResumed,
    RolloutRolledBack,
    RolloutStageOpened,
    ToolHalted,
    ToolResumed,
    VersionWithdrawn,
)
from tool_sync.domain.fleet import Clinic, Fleet, Order, OrderState, Version, evolve_fleet
from tool_sync.domain.fleet.decide import holds
from tool_sync.domain.toolset import Recorded

from ..builders import after
from ..fleets import EVERYBODY, ORG, OTHERS, OWN, and_then, completed, fleet_of, ordered, published, started

PLANNED = RolloutPlanned("r-1", "book", 1, (EVERYBODY,), PlanCounts(1, 0, 0, 0, 0, 1), 4, "digest")
RUNNING = started("r-1", stages=(OTHERS, OWN, EVERYBODY))
OPENED = RolloutStageOpened("r-1", "book", 1, "gate")
PAUSED = RolloutPaused("r-1", "book", "why")


def order_after(*events: FleetEvent) -> Order:
    order = fleet_of(published(), RUNNING, *events).order("r-1")
    assert order is not None
    return order


def answers(*pairs: tuple[str, int]) -> ContractsAnswered:
    return ContractsAnswered(tuple(AnsweredContract(name, contract) for name, contract in pairs))


# --- versions -----------------------------------------------------------------------------------------------------


def test_a_published_version_is_there_with_its_document_and_its_place() -> None:
    event = published(contract=3, tier="professional")
    fleet = fleet_of(event)

    version = Version("book", 1, "professional", "hash-book-1", 3, event.document or {}, 1)
    assert fleet.versions == {"book": {1: version}}
    assert fleet.document("book", "hash-book-1") == event.document
    assert (fleet.document("book", "hash-book-2"), fleet.document("cancel", "hash-book-1")) == (None, None)


def test_tools_are_named_in_the_order_of_their_first_versions() -> None:
    assert fleet_of(published("b"), published("a"), published("b", 2)).names == ("b", "a")


def test_of_a_version_that_was_published_again_the_newest_counts_and_both_documents_are_found() -> None:
    moved = replace(published(definition_hash="moved"), document={"server": "elsewhere", "parameters": []})
    fleet = fleet_of(published(), moved)

    assert fleet.versions["book"][1].definition_hash == "moved"
    assert fleet.document("book", "moved") == moved.document
    assert fleet.document("book", "hash-book-1") == published().document


def given_hashes(*events: FleetEvent) -> list[str | None]:
    orders = fleet_of(*events).orders["book"]
    return [None if order.gives is None else order.gives.definition_hash for order in orders]


def test_an_order_gives_what_its_number_stood_for_when_it_was_started_and_a_later_one_what_it_stands_for_then() -> None:
    again = published(definition_hash="again")

    assert given_hashes(published(), *ordered("r-1"), again, *ordered("r-2")) == ["hash-book-1", "again"]
    assert given_hashes(published(), again, *ordered("r-1")) == ["again"]
    assert given_hashes(published(), *ordered("r-1", None), again) == [None]


def test_an_order_of_what_nobody_had_published_gives_what_is_published_first() -> None:
    events = (published(version=2), *ordered("r-1"), published(), published(definition_hash="again"))

    assert given_hashes(*events) == ["hash-book-1"]


def test_a_number_counts_as_answered_where_everything_that_it_stood_for_is() -> None:
    first, again = published(contract=1), published(contract=2, definition_hash="again")
    answered = (("book", 1), ("book", 2))

    assert fleet_of(first, again, answered=answered).answered_versions == {("book", 1)}
    assert fleet_of(first, again, answered=answered[:1]).answered_versions == set()
    assert fleet_of(first, again, answered=answered[1:]).answered_versions == set()


@pytest.mark.parametrize(
    ("parameters", "contract"),
    [
        ([{"key": "organization_id", "value": "x"}, {"key": "contract", "value": 2}], 2),
        ([{"key": "contract", "value": 0}], 0),
        ([{"key": "organization_id", "value": "x"}], 1),
        ([{"key": "contract", "value": "two"}], 1),
        ([], 1),
    ],
)
def test_an_old_event_names_its_contract_in_its_document_or_has_the_first(
    parameters: list[dict[str, object]], contract: int
) -> None:
    old = replace(published(), contract=None, document={"parameters": parameters})

    assert fleet_of(old).versions["book"][1].contract == contract
    assert fleet_of(replace(old, contract=7)).versions["book"][1].contract == 7, "the event's own word counts"


def test_an_event_from_before_documents_makes_no_version_that_can_be_registered() -> None:
    fleet = fleet_of(BlueprintPublished("book", 1, "basic", True, "hash-book-1"))

    assert (fleet.names, dict(fleet.hashes), fleet.position) == ((), {}, 1)


def test_a_withdrawn_version_is_marked_and_its_order_stands() -> None:
    fleet = fleet_of(published(), published(version=2), *ordered("r-1"), VersionWithdrawn("book", 1, "wrong"))

    assert [version.is_withdrawn for version in fleet.versions["book"].values()] == [True, False]
    assert fleet.orders["book"][0].is_standing


@pytest.mark.parametrize("event", [VersionWithdrawn("book", 9, "why"), VersionWithdrawn("other", 1, "why")])
def test_withdrawing_what_nobody_published_changes_nothing_but_the_place(event: FleetEvent) -> None:
    before = fleet_of(published())
    fleet = and_then(before, event)

    assert (fleet.versions, fleet.hashes) == (before.versions, before.hashes)
    assert fleet.position == 2


def test_a_version_is_answered_by_its_contract_or_by_another_service() -> None:
    events = (published(contract=1), published(version=2, contract=2), published(version=3, contract=0))
    fleet = fleet_of(*events, answered=[("book", 2), ("cancel", 1)])

    assert {n: fleet.is_answered(version) for n, version in fleet.versions["book"].items()} == {
        1: False,
        2: True,
        3: True,
    }
    assert fleet.answered_versions == {("book", 2), ("book", 3)}


def test_the_contracts_that_are_answered_are_those_of_the_newest_event_and_only_what_they_change_is_changed() -> None:
    events = (published(contract=1), published("cancel", contract=1))
    fleet = fleet_of(*events, answers(("book", 1), ("cancel", 1)), answered=[("book", 1), ("move", 1)])
    assert fleet.answered == {("book", 1), ("cancel", 1)}
    assert fleet.changed_at == {"book": 1, "cancel": 3, "move": 3}

    none = and_then(fleet, ContractsAnswered(()))
    assert (none.answered, none.answered_versions) == (frozenset(), frozenset())
    assert none.stream_versions["blueprint-~contracts"] == 2


# --- halts --------------------------------------------------------------------------------------------------------


def test_a_tool_is_halted_until_it_is_resumed_and_other_tools_are_not() -> None:
    fleet = fleet_of(published(), published("cancel"), ToolHalted("book", "wrong numbers"), ToolHalted("cancel", "why"))
    assert fleet.halted == {"book": "wrong numbers", "cancel": "why"}

    resumed = and_then(fleet, ToolResumed("book", "mended"))
    assert resumed.halted == {"cancel": "why"}
    assert and_then(resumed, ToolResumed("book", "mended")).halted == {"cancel": "why"}


# --- orders -------------------------------------------------------------------------------------------------------


def test_a_plan_is_kept_with_its_time_until_it_is_started() -> None:
    other = replace(PLANNED, rollout_id="r-2")
    fleet = fleet_of(published(), PLANNED, other)
    assert fleet.plans == {"r-1": (PLANNED, after(2)), "r-2": (other, after(3))}
    assert fleet.orders == {}

    begun = and_then(fleet, RUNNING)
    assert set(begun.plans) == {"r-2"}


def test_a_plan_that_is_made_again_replaces_the_one_before() -> None:
    again = replace(PLANNED, digest="another", as_of=9)

    assert fleet_of(PLANNED, again).plans == {"r-1": (again, after(2))}


def test_an_order_starts_running_with_its_first_stage_open() -> None:
    expires = after(3600)
    order = order_after()
    assert order == Order(
        "r-1", "book", 1, (OTHERS, OWN, EVERYBODY), 2, after(2), None, "tried", opened_at=after(2),
        gives=fleet_of(published()).versions["book"][1], judged_position=2, judged_from=after(2),
    )  # fmt: skip
    assert (order.state, order.open_stage, order.is_last_stage_open, order.is_standing) == ("running", 0, False, True)

    (limited,) = fleet_of(replace(RUNNING, expires_at=expires)).orders["book"]
    assert limited.expires_at == expires


def test_an_order_that_begins_at_a_gate_has_no_stage_open_and_holds_nobody() -> None:
    gated = replace(RUNNING, gated=True)
    (order,) = fleet_of(gated).orders["book"]
    clinic = Clinic(str(ORG), "enterprise")
    assert (order.open_stage, order.is_last_stage_open, order.state) == (-1, False, "running")
    assert not holds(order, clinic)
    (order,) = fleet_of(gated, replace(OPENED, stage=0)).orders["book"]
    assert (order.open_stage, holds(order, clinic)) == (0, False)
    (order,) = fleet_of(gated, replace(OPENED, stage=0), OPENED).orders["book"]
    assert holds(order, clinic), "its own stage"


def test_evidence_begins_anew_with_each_stage_and_where_a_person_resumes() -> None:
    def since(*events: FleetEvent) -> tuple[int, datetime | None, int | None]:
        order = order_after(*events)
        return order.judged_position, order.judged_from, order.stopped_stage

    paused = RolloutPaused("r-1", "book", "look")
    stopped = replace(paused, evidence=GateEvidence("worse", 10, 10))
    resumed = RolloutResumed("r-1", "book", "go on")
    assert since(OPENED) == (3, after(3), None)
    assert since(OPENED, paused) == (3, after(3), None)
    assert since(OPENED, stopped) == (3, after(3), 1)
    assert since(OPENED, stopped, resumed) == (5, after(5), 1)
    assert since(stopped, resumed, OPENED) == (5, after(5), 0), "another stage is judged on its own"


def test_orders_of_a_tool_are_kept_oldest_first_and_apart_from_those_of_others() -> None:
    fleet = fleet_of(started("r-1"), started("r-2", tool="cancel"), started("r-3", None))

    assert [order.rollout_id for order in fleet.orders["book"]] == ["r-1", "r-3"]
    assert [order.rollout_id for order in fleet.orders["cancel"]] == ["r-2"]
    assert (fleet.order("r-3"), fleet.order("r-9")) == (fleet.orders["book"][1], None)


def test_a_stage_that_opens_is_noted_with_its_time_and_the_last_one_is_known() -> None:
    second = order_after(OPENED)
    assert (second.open_stage, second.opened_at, second.is_last_stage_open) == (1, after(3), False)

    third = order_after(OPENED, replace(OPENED, stage=2, cause="promoted", reason="seen by hand"))
    assert (third.open_stage, third.opened_at, third.is_last_stage_open) == (2, after(4), True)
    assert third.started_at == after(2)


@pytest.mark.parametrize(
    ("events", "state", "is_standing"),
    [
        pytest.param((PAUSED,), "paused", True, id="paused"),
        pytest.param((PAUSED, RolloutResumed("r-1", "book", "why")), "running", True, id="resumed"),
        pytest.param((completed("r-1"),), "completed", True, id="completed"),
        pytest.param((RolloutAborted("r-1", "book", "why"),), "aborted", False, id="aborted"),
        pytest.param((RolloutExpired("r-1", "book"),), "expired", False, id="expired"),
        pytest.param((RolloutRolledBack("r-1", "book", "why"),), "rolled_back", False, id="rolled back"),
        pytest.param(
            (completed("r-1"), RolloutRolledBack("r-1", "book", "why")), "rolled_back", False,
            id="completed and rolled back",
        ),
    ],
)  # fmt: skip
def test_an_order_is_in_the_state_of_its_newest_event(
    events: tuple[FleetEvent, ...], state: OrderState, is_standing: bool
) -> None:
    order = order_after(OPENED, *events)

    assert (order.state, order.is_standing) == (state, is_standing)
    assert order.open_stage == (2 if completed("r-1") in events else 1), "completing opens every stage"
    assert order.opened_at == after(3)


def test_an_event_of_an_order_concerns_that_order_alone() -> None:
    before = fleet_of(started("r-1"), started("r-2"), started("r-3", tool="cancel"))
    fleet = and_then(before, RolloutPaused("r-2", "book", "why"))

    assert [order.state for order in fleet.orders["book"]] == ["running", "paused"]
    assert fleet.orders["cancel"] == before.orders["cancel"]


def test_an_event_of_an_order_that_was_never_started_changes_no_order() -> None:
    before = fleet_of(started("r-1"))

    assert and_then(before, RolloutPaused("r-9", "book", "why")).orders == before.orders
    assert and_then(before, RolloutPaused("r-9", "cancel", "why")).order("r-9") is None


# --- its place ----------------------------------------------------------------------------------------------------


def test_the_fleet_is_as_of_its_newest_event_and_counts_the_events_of_each_stream() -> None:
    fleet = fleet_of(published(), *ordered("r-1"), published("cancel"), published(version=2))

    assert fleet.position == 5
    assert fleet.stream_versions == {"blueprint-book": 2, "blueprint-cancel": 1, "rollout-r-1": 2}


def test_positions_between_two_events_of_the_fleet_belong_to_orgs() -> None:
    fleet = evolve_fleet(Fleet(), "blueprint-book", Recorded(40, after(0), published()))

    assert (fleet.position, fleet.stream_versions) == (40, {"blueprint-book": 1})
    assert fleet.versions["book"][1].position == 40


def test_what_a_tool_was_changed_by_last_is_known_by_tool_and_plans_and_withdrawals_change_nothing() -> None:
    fleet = fleet_of(published(), published("cancel"), *ordered("r-1"), PLANNED, VersionWithdrawn("book", 1, "why"))
    assert fleet.changed_at == {"book": 4, "cancel": 2}

    assert and_then(fleet, ToolHalted("book", "why")).changed_at == {"book": 7, "cancel": 2}


def test_an_event_of_an_org_is_none_of_the_fleets() -> None:
    with pytest.raises(AssertionError, match="org-1 belongs to no org, and holds OrgClosed"):
        evolve_fleet(Fleet(), "org-1", Recorded(1, after(0), OrgClosed()))


def test_a_fleet_that_was_read_before_stays_as_it_was() -> None:
    before = fleet_of(published(), *ordered("r-1"))
    copy = fleet_of(published(), *ordered("r-1"))
    and_then(before, published(version=2), ToolHalted("book", "why"), RolloutRolledBack("r-1", "book", "why"))

    assert before == copy

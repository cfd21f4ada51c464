"""What is said of a tool on the topic: all that clinics may have, as much of the rest as fits, and never too much."""

from dataclasses import replace
from typing import Any

import pytest

from tool_sync.domain.events import (
    BlueprintPublished,
    FleetEvent,
    RolloutAborted,
    RolloutPaused,
    RolloutRolledBack,
    ToolHalted,
    VersionWithdrawn,
)
from tool_sync.domain.fleet.giving import given_versions
from tool_sync.rollouts.published import published_of
from zerotouch_contracts.blueprint import VERSIONS_MAX
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.envelope import VALUE_BYTES_MAX

from ..domain.fleets import EVERYBODY, OWN, completed, fleet_of, ordered, published, started


def version(number: int, *, asynchronous: bool = False, contract: int = 0, **function: Any) -> BlueprintPublished:
    """A version as it is published, with a document."""
    said = {"name": "book", "description": f"Version {number}.", "parameters": {"type": "object", "properties": {}}}
    document = {"function": {**said, **function}, "async": asynchronous, "parameters": []}
    return BlueprintPublished(
        "book", number, "basic", asynchronous, canonical_hash(document), document, contract, f"note {number}"
    )


def test_a_version_is_told_of_as_it_is_registered() -> None:
    schema = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}
    fleet = fleet_of(version(1, asynchronous=True, contract=7, parameters=schema), *ordered("r1"))
    said = published_of(fleet, "book", ())
    assert said is not None
    (one,) = said.versions
    assert (said.tool, said.position, said.halted, said.omitted) == ("book", 3, False, 0)
    assert (one.version, one.contract, one.tier, one.asynchronous) == (1, 7, "basic", True)
    assert (one.description, one.parameters, one.note) == ("Version 1.", schema, "note 1")
    assert (one.ordered, one.withdrawn) == (True, False)
    assert one.definition_hash == fleet.versions["book"][1].definition_hash


def test_a_halt_and_a_withdrawal_are_told_and_the_version_stays() -> None:
    fleet = fleet_of(version(1), version(2), VersionWithdrawn("book", 1, "wrong"), ToolHalted("book", "wrong"))
    said = published_of(fleet, "book", ())
    assert said is not None
    assert said.halted
    assert [(one.version, one.withdrawn) for one in said.versions] == [(1, True), (2, False)]


def test_of_a_tool_that_nobody_published_nothing_is_said() -> None:
    assert published_of(fleet_of(version(1)), "cancel", ()) is None


@pytest.mark.parametrize(
    ("orders", "given"),
    [
        ((), set()),
        (ordered("r1", 1), {1}),
        ((*ordered("r1", 1), *ordered("r2", 2)), {2}),
        ((*ordered("r1", 1), started("r2", 2, (OWN, EVERYBODY))), {1, 2}),
        ((*ordered("r1", 1), started("r2", 2, (OWN,)), completed("r2")), {1, 2}),
        ((*ordered("r1", 1), started("r2", 2), RolloutPaused("r2", "book", "look")), {1, 2}),
        ((*ordered("r1", 1), started("r2", 2), RolloutAborted("r2", "book", "no")), {1}),
        ((*ordered("r1", 1), *ordered("r2", 2), RolloutRolledBack("r2", "book", "no")), {1}),
        ((*ordered("r1", 1), *ordered("r2", None)), set()),
        ((*ordered("r1", 1), *ordered("r2", 2), started("r3", 1, (OWN, EVERYBODY))), {1, 2}),
    ],
)
def test_given_is_what_orders_that_stand_may_give_back_to_the_newest_for_everybody(
    orders: tuple[FleetEvent, ...], given: set[int]
) -> None:
    assert given_versions(fleet_of(version(1), version(2), *orders), "book") == given


def test_a_version_that_clinics_still_have_is_held_whatever_is_ordered() -> None:
    fleet = fleet_of(version(1), version(2), *ordered("r1", 1), *ordered("r2", 2))
    said = published_of(fleet, "book", {1, 99})
    assert said is not None
    assert [(one.version, one.ordered, one.held) for one in said.versions] == [(1, False, True), (2, True, False)]


def test_of_many_versions_those_that_clinics_may_have_are_told_and_then_the_newest() -> None:
    fleet = fleet_of(*(version(n) for n in range(1, 101)), *ordered("r1", 3))
    said = published_of(fleet, "book", {7})
    assert said is not None
    assert [one.version for one in said.versions] == [3, 7, *range(101 - VERSIONS_MAX + 2, 101)]
    assert said.omitted == 100 - VERSIONS_MAX


def test_a_record_of_the_largest_versions_is_below_what_readers_take_and_keeps_what_clinics_may_have() -> None:
    properties = {f"p{n}": {"type": "string", "description": "€" * 300} for n in range(16)}
    large: dict[str, Any] = {"description": "€" * 999, "parameters": {"type": "object", "properties": properties}}
    fleet = fleet_of(*(version(n, **large) for n in range(1, 61)), *ordered("r1", 1))
    said = published_of(fleet, "book", {2})
    assert said is not None
    assert len(said.model_dump_json().encode()) <= VALUE_BYTES_MAX
    assert {1, 2, 60} <= said.by_version.keys()
    assert said.by_version[1].parameters is not None
    assert said.omitted == 60 - len(said.versions)


def test_a_schema_that_does_not_fit_is_left_out_and_the_version_told() -> None:
    huge = {"type": "object", "properties": {f"p{n}": {"description": "x" * 1000} for n in range(300)}}
    said = published_of(fleet_of(version(1, parameters=huge)), "book", ())
    assert said is not None
    assert said.versions[0].parameters is None
    assert said.versions[0].description == "Version 1."


def test_one_that_breaks_the_rules_is_left_out_and_its_neighbours_are_told() -> None:
    odd = replace(version(1), definition_hash="no hash")
    said = published_of(fleet_of(odd, version(2)), "book", ())
    assert said is not None
    assert [one.version for one in said.versions] == [2]
    assert said.omitted == 1
    assert published_of(fleet_of(published()), "book", ()) is None, "nothing of it can be told"


@pytest.mark.parametrize("function", [None, [], "text", {"parameters": []}, {"description": None}])
def test_a_document_of_another_form_is_told_of_as_far_as_it_goes(function: Any) -> None:
    document = {"function": function, "parameters": []}
    event = BlueprintPublished("book", 1, "basic", False, canonical_hash(document), document, 1)
    said = published_of(fleet_of(event), "book", ())
    assert said is not None
    assert said.versions[0].parameters is None

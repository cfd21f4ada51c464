"""Publishing a file, withdrawing a version, halting a tool: what is written, and what is refused."""

from dataclasses import replace
from uuid import UUID

import pytest

from tool_sync.domain.events import (
    BlueprintPublished,
    RolloutAborted,
    RolloutPaused,
    RolloutRolledBack,
    ToolHalted,
    ToolResumed,
    VersionWithdrawn,
)
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.publishing.document import Installation
from tool_sync.publishing.tool_file import ToolFile
from tool_sync.rollouts.publish import halted, published, resumed, withdrawn
from zerotouch_contracts.canonical import canonical_hash

from ..domain.fleets import and_then, fleet_of, ordered, started
from ..domain.fleets import published as of_version

HERE = Installation("https://hooks.example.test", UUID(int=7), None)
BOOKING = ToolFile("bookClinicAppointment", 2, "Books.")
NAME = BOOKING.name
SAME = Refused(f"version 1 of {NAME} says the same; nothing was written. To order it: tool-sync rollout plan {NAME}@1")


def publish(fleet: Fleet, tool: ToolFile = BOOKING, installation: Installation = HERE) -> BlueprintPublished:
    made = published(fleet, tool, installation)
    assert isinstance(made, BlueprintPublished), made
    return made


FIRST = publish(fleet_of())
ONCE = fleet_of(FIRST)


def test_the_first_version_is_1_and_holds_all_that_is_registered() -> None:
    assert (FIRST.name, FIRST.version, FIRST.tier, FIRST.contract, FIRST.asynchronous) == (NAME, 1, "basic", 2, False)
    assert FIRST.document is not None
    assert FIRST.definition_hash == canonical_hash(FIRST.document)
    assert FIRST.document["function"]["description"] == "Books."
    assert FIRST.document["server"]["url"] == HERE.server_url


def test_each_further_one_gets_the_next_number_also_after_a_gap() -> None:
    second = publish(ONCE, replace(BOOKING, description="Books more."))
    assert second.version == 2
    seventh = replace(second, version=7)
    assert publish(and_then(ONCE, seventh)).version == 8


def test_a_note_is_kept_and_makes_no_version_of_its_own() -> None:
    assert publish(fleet_of(), replace(BOOKING, note="for Ada")).note == "for Ada"
    assert published(ONCE, replace(BOOKING, note="for Ada"), HERE) == SAME


@pytest.mark.parametrize(
    "changed",
    [
        replace(BOOKING, description="Books more."),
        replace(BOOKING, tier="enterprise"),
        replace(BOOKING, timeout_seconds=30),
        replace(BOOKING, asynchronous=True),
        replace(BOOKING, messages=({"type": "request-start", "content": "One moment."},)),
        replace(BOOKING, static_parameters={"region": "north"}),
        replace(BOOKING, contract=1),
    ],
)
def test_whatever_a_clinic_would_notice_makes_a_version(changed: ToolFile) -> None:
    assert publish(ONCE, changed).version == 2


@pytest.mark.parametrize(
    "there",
    [
        replace(HERE, server_url="https://other.example.test"),
        replace(HERE, installation_id=UUID(int=8)),
        replace(HERE, credential_id="credential"),
    ],
)
def test_the_same_file_at_another_installation_or_address_is_another_version(there: Installation) -> None:
    assert publish(ONCE, installation=there).version == 2


def test_another_contract_is_another_version_though_the_model_is_told_the_same() -> None:
    said = replace(BOOKING, parameters={"type": "object", "properties": {}})
    assert publish(fleet_of(publish(fleet_of(), said)), replace(said, contract=1)).version == 2


def test_the_same_file_again_is_refused_with_how_to_order_it() -> None:
    assert published(ONCE, BOOKING, HERE) == SAME


def test_a_file_that_says_what_an_older_version_said_is_published_anew() -> None:
    changed = publish(ONCE, replace(BOOKING, description="Books more."))
    assert publish(and_then(ONCE, changed)).version == 3


def test_a_file_that_says_what_a_withdrawn_version_said_is_published_anew() -> None:
    assert publish(and_then(ONCE, VersionWithdrawn(NAME, 1, "wrong"))).version == 2


def test_a_version_is_withdrawn_once() -> None:
    fleet = fleet_of(of_version())
    assert withdrawn(fleet, "book", 1, "wrong") == VersionWithdrawn("book", 1, "wrong")
    again = and_then(fleet, VersionWithdrawn("book", 1, "wrong"))
    assert withdrawn(again, "book", 1, "wrong") == Refused("version 1 of book was withdrawn already")
    assert withdrawn(fleet, "book", 2, "wrong") == Refused("there is no version 2 of book")
    assert withdrawn(fleet, "other", 1, "wrong") == Refused("there is no version 1 of other")


def test_a_version_that_an_order_gives_is_not_withdrawn_until_the_order_is_over() -> None:
    def why(state: str) -> Refused:
        return Refused(f"rollout r, {state}, gives version 1 of book: roll it back first")

    running = fleet_of(of_version(), started("r"))
    assert withdrawn(running, "book", 1, "wrong") == why("running")
    assert withdrawn(and_then(running, RolloutPaused("r", "book", "")), "book", 1, "wrong") == why("paused")
    assert withdrawn(fleet_of(of_version(), *ordered("r")), "book", 1, "wrong") == why("completed")
    for over in (RolloutAborted("r", "book", "bad"), RolloutRolledBack("r", "book", "bad")):
        assert isinstance(withdrawn(and_then(running, over), "book", 1, "wrong"), VersionWithdrawn)


def test_a_tool_is_halted_once_and_resumed_once() -> None:
    fleet = fleet_of(of_version())
    assert halted(fleet, "book", "bad") == ToolHalted("book", "bad")
    assert resumed(fleet, "book", "fine") == Refused("book is not halted")
    stopped = and_then(fleet, ToolHalted("book", "bad"))
    assert halted(stopped, "book", "worse") == Refused("book is halted already: bad")
    assert resumed(stopped, "book", "fine") == ToolResumed("book", "fine")
    assert halted(fleet, "other", "bad") == Refused("nobody has published a tool other")

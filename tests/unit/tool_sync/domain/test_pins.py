"""A clinic's pins: what makes and ends them, when their end is due, and what somebody may ask for."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tool_sync.domain.decider import decide
from tool_sync.domain.events import (
    Event,
    OrgClosed,
    OrgRegistered,
    ToolPinExpired,
    ToolPinned,
    ToolUnpinned,
    VersionWithdrawn,
)
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.domain.tool_pin import PIN_DAYS_MAX, PinBasis, PinWish, decide_pin
from tool_sync.domain.tool_setting import NoSuchOrg, NoSuchTool, OrgIsClosed, SettingMoved
from tool_sync.domain.toolset import ClinicPin, Toolset
from tool_sync.domain.wanted import WantedTool, wanted_of

from .builders import after, given, plan, registered, registering, then, updating
from .fleets import ORG, fleet_of, ordered, published

NEWER = WantedTool("book", 2, "hash-book-2", "r-2")
PINNED = ToolPinned("book", 1, "hash-book-1", "basic", after(3600), "a fair")
FLEET = fleet_of(published(), published(version=2), published("cancel"), *ordered("r-1"), *ordered("r-2", 2))


def wanted(state: Toolset) -> list[tuple[int, str | None]]:
    return [(tool.definition_version, tool.order) for tool in wanted_of(state, FLEET, ORG, after(0)).tools]


# --- the fold -----------------------------------------------------------------------------------------------------


def test_a_pinned_clinic_wants_its_version_by_no_order_and_by_the_order_again_when_that_ends() -> None:
    state = given(OrgRegistered("basic"))
    assert wanted(state) == [(2, "r-2")]

    state = then(state, PINNED)
    assert state.pins == {"book": ClinicPin(1, "hash-book-1", after(3600), 2)}
    assert wanted(state) == [(1, None)]
    for end in (ToolUnpinned("book", "over"), ToolPinExpired("book", 2)):
        ended = then(state, end)
        assert (ended.pins, wanted(ended)) == ({}, [(2, "r-2")])


@pytest.mark.parametrize(
    ("event", "through"), [(PINNED, 3), (ToolUnpinned("book", "over"), 3), (ToolPinExpired("book", 2), 2)]
)
def test_a_pin_and_its_end_are_work_for_all_of_the_clinic(event: Event, through: int) -> None:
    """Its end by time settles nothing above the pin: what arrived meanwhile may not be read yet."""
    state = given(OrgRegistered("basic"), PINNED)
    state = then(replace(state, org_wide_through=None), event)

    assert (state.org_wide_through, state.org_wide_cause) == (through, "pin")


def test_a_newer_pin_replaces_one_and_outlives_the_end_of_it() -> None:
    """A worker that has slept since before the second pin ends the first one, in the other stream, without conflict."""
    newer = replace(PINNED, version=2, definition_hash="hash-book-2", until=after(9000))
    state = then(given(OrgRegistered("basic"), PINNED), newer)
    late = then(state, ToolPinExpired("book", 2))

    assert late.pins == state.pins == {"book": ClinicPin(2, "hash-book-2", after(9000), 3)}
    assert late.org_wide_through == state.org_wide_through


def test_a_late_end_of_a_pin_that_was_taken_back_changes_nothing() -> None:
    state = given(OrgRegistered("basic"), PINNED, ToolUnpinned("book", "over"))

    assert then(state, ToolPinExpired("book", 2)).pins == {}
    assert then(state, PINNED, ToolPinExpired("book", 2)).pins == {"book": ClinicPin(1, "hash-book-1", after(3600), 4)}


def test_a_clinic_that_is_deleted_has_no_pin_in_its_next_life() -> None:
    assert given(OrgRegistered("basic"), PINNED, OrgClosed(), OrgRegistered("basic")).pins == {}


# --- its end is due -----------------------------------------------------------------------------------------------

AT_REST = (OrgRegistered("basic"), registering(), registered(), PINNED)


def at_rest() -> Toolset:
    return replace(given(*AT_REST), org_wide_through=None, org_wide_cause=None)


def test_a_pin_s_end_is_the_next_time_at_which_somebody_looks_and_is_an_event_then() -> None:
    made = plan(at_rest(), at=3599)
    assert (made.commands, made.next_due) == ((), after(3600))

    for late in (3600, 90_000):
        assert plan(at_rest(), at=late).commands == (ToolPinExpired("book", 4),)


def test_the_pin_that_ends_first_says_when_somebody_looks() -> None:
    other = replace(PINNED, name="cancel", until=after(60))
    state = then(at_rest(), other)

    assert plan(replace(state, org_wide_through=None), at=1).next_due == after(60)
    assert plan(replace(state, org_wide_through=None), at=60).commands == (ToolPinExpired("cancel", 5),)


def test_a_pin_is_ended_once_and_by_its_own_place() -> None:
    state = given(*AT_REST)

    assert decide(state, ToolPinExpired("book", 4)) == (ToolPinExpired("book", 4),)
    assert decide(state, ToolPinExpired("book", 3)) == ()
    assert decide(then(state, ToolPinExpired("book", 4)), ToolPinExpired("book", 4)) == ()


def test_an_update_to_the_pinned_version_is_overtaken_like_any_other() -> None:
    state = given(registering(), registered(), replace(updating(7, NEWER), order="r-2", fleet_position=9))

    assert then(state, PINNED).decided_on == {"book": 9}


# --- what somebody asks for ---------------------------------------------------------------------------------------

NOW = after(0)
BASIS = PinBasis(True, False, "basic", NOW, None, None, None, None, 0)
WISH = PinWish(1, after(3600), "a fair")
IS_PINNED = replace(BASIS, version=1, definition_hash="hash-book-1", until=after(3600), reason="a fair", position=7)


def asked_for(basis: PinBasis = BASIS, tool: str = "book", **changes: Any) -> Any:
    return decide_pin(basis, FLEET, tool, replace(WISH, **changes))


def test_a_wish_pins_what_the_number_stands_for_now() -> None:
    again = fleet_of(published(), published(definition_hash="again"))

    assert asked_for() == PINNED
    assert decide_pin(BASIS, again, "book", WISH) == replace(PINNED, definition_hash="again")


def test_another_wish_replaces_the_pin_and_the_same_one_writes_nothing() -> None:
    assert asked_for(IS_PINNED) is None
    assert asked_for(IS_PINNED, until=after(7200)) == replace(PINNED, until=after(7200))
    assert asked_for(IS_PINNED, reason="another fair") == replace(PINNED, reason="another fair")
    assert asked_for(replace(IS_PINNED, definition_hash="older")) == PINNED


def test_a_pin_is_taken_back_once() -> None:
    assert asked_for(IS_PINNED, version=None, until=None) == ToolUnpinned("book", "a fair")
    assert asked_for(BASIS, version=None, until=None) is None


@pytest.mark.parametrize(
    ("days", "why"),
    [
        (0, "2026-11-24 08:00 UTC has passed: a pin ends in the future"),
        (-1, "2026-11-23 08:00 UTC has passed: a pin ends in the future"),
        (
            PIN_DAYS_MAX + 0.01,
            "2027-02-22 08:14 UTC is too far away: a pin is for 90 days at most, until 2027-02-22 08:00 UTC",
        ),
    ],
)
def test_a_time_that_has_passed_or_is_too_far_away_is_refused(days: float, why: str) -> None:
    assert asked_for(until=NOW + timedelta(days=days)) == Refused(why)
    assert asked_for(until=NOW + timedelta(days=PIN_DAYS_MAX)) is not None


def test_what_there_is_not_is_refused_by_name() -> None:
    assert asked_for(replace(BASIS, is_known=False)) == NoSuchOrg()
    assert asked_for(replace(BASIS, is_closed=True)) == OrgIsClosed()
    assert asked_for(tool="Book") == NoSuchTool(("book", "cancel"))
    assert asked_for(version=9) == Refused("book has no version 9; there is 1, 2")
    assert asked_for(IS_PINNED, seen=6) == SettingMoved(7)
    assert asked_for(IS_PINNED, seen=7) is None


def test_what_nobody_may_be_given_is_refused() -> None:
    withdrawn = fleet_of(published(), VersionWithdrawn("book", 1, "wrong"))
    unanswered = fleet_of(published(contract=9))
    higher = fleet_of(published(tier="enterprise"))

    assert decide_pin(BASIS, withdrawn, "book", WISH) == Refused("version 1 of book was withdrawn")
    assert "contract 9" in str(decide_pin(BASIS, unanswered, "book", WISH))
    assert decide_pin(BASIS, higher, "book", WISH) == Refused(
        "version 1 of book is for enterprise, and the organization's tier is basic: it would lose the tool"
    )


def test_a_pin_of_a_tool_that_the_clinic_lacks_gives_it() -> None:
    state = then(given(OrgRegistered("basic")), PINNED)
    nothing_ordered = fleet_of(published())

    assert [tool.name for tool in wanted_of(state, nothing_ordered, ORG, after(0)).tools] == ["book"]

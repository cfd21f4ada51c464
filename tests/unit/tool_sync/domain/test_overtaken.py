"""A write for a tool that was decided on an older fleet than one that is announced already: it is not sent.

A worker that slept reloads after a conflict, and may still hold a decision on what was ordered before.
"""

from dataclasses import replace

import pytest

from tool_sync.domain.decider import decide
from tool_sync.domain.events import (
    Event,
    RetireReason,
    ToolRegistrationStarted,
    ToolReinstated,
    ToolRetired,
    ToolUpdated,
    ToolUpdateStarted,
)
from tool_sync.domain.toolset import Toolset
from tool_sync.domain.wanted import WantedTool

from .builders import ACCOUNT, after, failed, given, linking, ref, registered, registering, then, uid, updating

NEWER = WantedTool("book", 2, "hash-book-2", "r-2")
Write = ToolRegistrationStarted | ToolUpdateStarted | ToolRetired


def on(write: Write, fleet_position: int | None, order: str | None = "r-1") -> Write:
    """The write as it is decided on the fleet as of this position."""
    return replace(write, fleet_position=fleet_position, order=order)


def after_write_on(fleet_position: int, *, has_tool: bool) -> Toolset:
    """An org whose newest write for the tool followed ``r-2``, decided as of this position, and is over."""
    announced = on(registering(), fleet_position, "r-2")
    if has_tool:
        return given(announced, registered())
    return given(announced, failed("tool:book", attempt_id=uid(100), end="absent", retry_at=after(0)))


REGISTRATION, UPDATE = registering(7), updating(7, NEWER)
RETIREMENT = ToolRetired(ACCOUNT, *ref().fields, "order", after(60))
EACH = pytest.mark.parametrize(
    ("write", "has_tool"),
    [
        pytest.param(REGISTRATION, False, id="registration"),
        pytest.param(UPDATE, True, id="update"),
        pytest.param(RETIREMENT, True, id="retirement"),
    ],
)


@EACH
def test_a_write_that_was_decided_on_an_older_fleet_is_refused(write: Write, has_tool: bool) -> None:
    state = after_write_on(5, has_tool=has_tool)

    assert decide(state, on(write, 4)) == ()


@EACH
@pytest.mark.parametrize("position", [5, 6])
def test_a_write_that_was_decided_on_the_same_fleet_or_a_newer_one_is_announced(
    write: Write, has_tool: bool, position: int
) -> None:
    state = after_write_on(5, has_tool=has_tool)

    assert decide(state, on(write, position)) == (on(write, position),)


@EACH
def test_a_write_for_no_order_is_refused_as_well_where_it_was_decided_on_an_older_fleet(
    write: Write, has_tool: bool
) -> None:
    state = after_write_on(5, has_tool=has_tool)

    assert decide(state, on(write, 4, order=None)) == ()
    assert decide(state, on(write, 5, order=None)) == (on(write, 5, order=None),)


@EACH
def test_a_write_from_before_orders_were_overtakes_nothing_and_is_overtaken_by_nothing(
    write: Write, has_tool: bool
) -> None:
    assert decide(after_write_on(5, has_tool=has_tool), on(write, None)) == (on(write, None),)
    old: tuple[Event, ...] = (registering(), registered()) if has_tool else ()
    assert decide(given(*old), on(write, 0)) == (on(write, 0),)


def test_a_write_for_another_tool_overtakes_nothing() -> None:
    other = WantedTool("cancel", 1, "hash-cancel-1")
    state = given(on(registering(101, other), 9, "r-9"), registered(101, other, "t-2"))

    assert decide(state, on(REGISTRATION, 4)) == (on(REGISTRATION, 4),)


def test_the_newest_announced_write_counts_whatever_came_of_it() -> None:
    state = then(after_write_on(5, has_tool=True), on(updating(8, NEWER), 8, "r-3"))
    state = then(state, failed("tool:book", attempt_id=uid(8), end="refused"))

    assert decide(state, on(UPDATE, 7)) == ()
    assert decide(state, on(UPDATE, 8)) == (on(UPDATE, 8),)


# --- what no order has decided: a halt, a setting, a tier, and their ends -----------------------------------------


def retired(reason: RetireReason, fleet_position: int) -> ToolRetired:
    return ToolRetired(ACCOUNT, *ref().fields, reason, after(60), None, fleet_position)


def reinstated(fleet_position: int | None) -> ToolReinstated:
    return ToolReinstated(ACCOUNT, *ref().fields, fleet_position)


HAS = (on(registering(), 3), registered())


@pytest.mark.parametrize("reason", ["halted", "setting", "tier", "order", "unused"])
def test_what_took_a_tool_away_is_not_undone_by_who_decided_before(reason: RetireReason) -> None:
    state = given(*HAS, retired(reason, 8))

    assert decide(state, reinstated(7)) == ()
    assert decide(state, reinstated(8)) == (reinstated(8),)
    gone = then(given(*HAS), retired(reason, 8))
    assert gone.decided_on == {"book": 8}


@pytest.mark.parametrize("reason", ["halted", "setting", "tier"])
def test_a_tool_that_came_back_is_not_taken_again_by_who_decided_before(reason: RetireReason) -> None:
    state = given(*HAS, retired(reason, 8), reinstated(9))

    assert decide(state, retired(reason, 8)) == ()
    assert decide(state, retired(reason, 9)) == (retired(reason, 9),)


def test_a_write_without_an_order_overtakes_as_well() -> None:
    """What somebody edited is put right while the contract is not answered: it keeps what it has, by no order."""
    mended = ToolUpdated(uid(9), ACCOUNT, *ref().fields, "answer")
    state = given(*HAS, on(updating(9), 8, order=None), mended)

    assert decide(state, on(updating(7, NEWER), 7, "r-2")) == ()


def test_what_is_from_before_fleets_were_named_overtakes_nothing_there_either() -> None:
    state = given(*HAS, replace(retired("halted", 8), fleet_position=None), reinstated(None))

    assert decide(state, retired("halted", 3)) == (retired("halted", 3),)


def test_a_link_that_was_decided_before_a_newer_one_of_the_clinic_is_planned_anew() -> None:
    """Halted at 8: the first assistant lost the tool, and a worker that slept would link it again to the second."""
    newer = replace(linking(11, agent_id="a", tools=()), fleet_position=8)
    state = given(*HAS, newer)

    for position, kept in ((7, False), (8, True), (None, True)):
        link = replace(linking(12, agent_id="b"), fleet_position=position)
        assert decide(state, link) == ((link,) if kept else ())

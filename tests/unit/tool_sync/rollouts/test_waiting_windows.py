"""Clinics that wait for their change windows, as the feeder, a plan and people see them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tool_sync.domain.fleet import Clinic, Fleet, Order
from tool_sync.domain.fleet.work import ClinicFacts, Work, waits_for_window, work_of
from tool_sync.rollouts.due import is_due, why_shut
from tool_sync.rollouts.status import said_of_windows
from tool_sync.rollouts.walk import ClinicWalk

from ..domain.fleets import EVERYBODY, ORG, OWN, fleet_of, ordered, published, started

OPENS = datetime(2026, 12, 1, 21, tzinfo=UTC)
OLD, NEW = "hash-book-1", "hash-book-2"
ORDERED = fleet_of(published(), published(version=2), *ordered("r-1"), *ordered("r-2", 2))
TO_NONE = fleet_of(published(), *ordered("r-1"), *ordered("none", None))


def facts(has: str | None, kept: str | None = None, *, has_tools: bool = True, assistants: int = 1) -> ClinicFacts:
    """A clinic whose window is closed."""
    kept = kept or has
    clinic = Clinic(
        str(ORG), "basic", opens_at=OPENS, kept={} if kept is None else {"book": kept},
        kept_since=0 if has_tools else None,
    )  # fmt: skip
    return ClinicFacts(clinic, assistants, has, False, None, 0)


@pytest.mark.parametrize(
    ("one", "fleet", "now", "later"),
    [
        (facts(OLD), ORDERED, "left", "update"),
        (facts(None), ORDERED, "left", "add"),
        (facts(None, has_tools=False), ORDERED, "add", "add"),
        (facts(None, OLD), ORDERED, "add", "add"),  # a halt has ended: it gets back what it had
        (facts(OLD), TO_NONE, "left", "remove"),
        (facts(NEW), ORDERED, "already", "already"),
        (facts(None, assistants=0), ORDERED, "left", "unused"),
    ],
)
def test_what_is_done_about_it_now_and_when_it_opens(one: ClinicFacts, fleet: Fleet, now: Work, later: Work) -> None:
    assert work_of(one, fleet, "book") == now
    assert work_of(one.once_open, fleet, "book") == later
    waits = now == "left" and later in ("update", "add", "remove")
    assert waits_for_window(one, fleet, "book") == (waits or (now == "add" and one.clinic.kept != {}))


def order_of(fleet: Fleet) -> Order:
    order = fleet.open_order("book")
    assert order is not None
    return order


def test_a_stage_that_reached_nobody_says_for_whom_it_waits_and_the_last_one_waits_for_nobody() -> None:
    fleet = fleet_of(published(), started("r-1", 1, (OWN, EVERYBODY)))
    walk = ClinicWalk(1)
    walk.waits(OPENS + timedelta(hours=1), "UTC")
    walk.waits(OPENS, "Europe/Berlin")
    walk.later_given = 2
    why = "it has reached nobody yet: 2 clinics wait for their window, the first opens 2026-12-01 22:00 Europe/Berlin"
    assert why_shut(fleet, order_of(fleet), walk) == why
    walk.given = 1
    assert why_shut(fleet, order_of(fleet), walk) is None
    walk.given = 0
    assert why_shut(fleet, replace(order_of(fleet), open_stage=1), walk) is None


def test_it_is_looked_again_a_minute_after_the_first_window_has_opened() -> None:
    fleet = replace(ORDERED, orders={})
    settled = fleet.changed_at["book"]
    assert not is_due(fleet, "book", settled, OPENS, None)
    assert not is_due(fleet, "book", settled, OPENS + timedelta(seconds=59), OPENS)
    assert is_due(fleet, "book", settled, OPENS + timedelta(seconds=61), OPENS)


def test_people_are_told_how_many_wait_and_when_the_first_window_opens() -> None:
    assert said_of_windows(None) is None
    assert said_of_windows((0, OPENS, "UTC")) is None
    one = "1 clinic waits for its window, opens 2026-12-01 22:00 Europe/Berlin"
    assert said_of_windows((1, OPENS, "Europe/Berlin")) == one
    many = "1,288 clinics wait for their windows, the first opens 2026-12-02 02:45 Asia/Kathmandu"
    assert said_of_windows((1288, OPENS, "Asia/Kathmandu")) == many

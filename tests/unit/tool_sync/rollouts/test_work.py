"""What is to be done at one clinic, and how many calls of Vapi's that takes."""

from datetime import UTC, datetime

import pytest

from tool_sync.domain.events import PlanCounts, ToolHalted
from tool_sync.domain.fleet import Clinic, Fleet
from tool_sync.domain.fleet.work import ClinicFacts, Tally, Work, calls_of, is_there, work_of

from ..domain.fleets import ORG, fleet_of, ordered, published

NEW, OLD = "hash-book-2", "hash-book-1"


def facts(
    has: str | None = None,
    *,
    assistants: int = 1,
    unlinked: bool = False,
    refused: str | None = None,
    tier: str = "basic",
    is_off: bool = False,
    kept: str | None = None,
) -> ClinicFacts:
    clinic = Clinic(
        str(ORG), tier, since=datetime(2026, 1, 1, tzinfo=UTC), disabled=frozenset({"book"} if is_off else ())
    )
    return ClinicFacts(clinic, assistants, has, unlinked, refused, 0, retired_hash=kept)


ORDERED = fleet_of(published(), published(version=2), *ordered("r", 2))
TO_NONE = fleet_of(published(), *ordered("r"), *ordered("none", None))
BETTER = fleet_of(published(), published(version=2, tier="enterprise"), *ordered("r", 2))
UNANSWERED = fleet_of(published(), published(version=2, contract=7), *ordered("r", 2))
HALTED = fleet_of(published(), published(version=2), *ordered("r", 2), ToolHalted("book", "bad"))
NOTHING = fleet_of(published())


@pytest.mark.parametrize(
    ("one", "fleet", "work"),
    [
        (facts(OLD), ORDERED, "update"),
        (facts(OLD, assistants=0), ORDERED, "update"),
        (facts(OLD, unlinked=True), ORDERED, "update"),
        (facts(), ORDERED, "add"),
        (facts(NEW, unlinked=True), ORDERED, "add"),
        (facts(NEW), ORDERED, "already"),
        (facts(assistants=0), ORDERED, "unused"),
        (facts(OLD, refused=NEW), ORDERED, "refused"),
        (facts(refused=NEW), ORDERED, "refused"),
        (facts(OLD, refused=OLD), ORDERED, "update"),
        (facts(NEW, refused=NEW), ORDERED, "already"),
        (facts(OLD), TO_NONE, "remove"),
        (facts(), TO_NONE, "already"),
        (facts(), NOTHING, "already"),
        (facts(OLD), NOTHING, "remove"),
        (facts(OLD), BETTER, "remove"),
        (facts(), BETTER, "left"),
        (facts(OLD, tier="enterprise"), BETTER, "update"),
        (facts(OLD, is_off=True), ORDERED, "remove"),
        (facts(is_off=True), ORDERED, "left"),
        (facts(OLD), UNANSWERED, "left"),
        (facts(), UNANSWERED, "left"),
        (facts(NEW), HALTED, "remove"),
        (facts(), HALTED, "already"),
    ],
)
def test_what_is_to_be_done_follows_from_what_the_clinic_has_and_is_to_have(
    one: ClinicFacts, fleet: Fleet, work: Work
) -> None:
    assert work_of(one, fleet, "book") == work


@pytest.mark.parametrize(
    ("work", "clinics", "assistants", "calls"),
    [
        ("update", 1, 3, 1),
        ("update", 10, 14, 10),
        ("add", 1, 1, 3),
        ("add", 1, 3, 7),
        ("add", 4, 6, 16),
        ("remove", 1, 1, 2),
        ("remove", 5, 9, 18),
        ("remove", 1, 0, 0),
        ("already", 3, 3, 0),
        ("left", 3, 3, 0),
        ("refused", 3, 3, 0),
        ("unused", 3, 0, 0),
    ],
)
def test_calls_are_counted_by_clinic_and_assistant(work: Work, clinics: int, assistants: int, calls: int) -> None:
    assert calls_of(work, clinics, assistants) == calls


@pytest.mark.parametrize(
    ("one", "calls"),
    [(facts(), 7), (facts(kept=OLD), 7), (facts(kept=NEW), 6), (facts(NEW, unlinked=True), 6)],
    ids=["it is made", "it is updated", "it is kept as ordered", "an assistant lacks it"],
)
def test_a_tool_that_is_still_at_vapi_as_ordered_is_not_made_anew(one: ClinicFacts, calls: int) -> None:
    tally = Tally()
    tally.add("add", 1, 3, is_there=is_there(one, NEW))
    assert tally.calls == calls


def test_a_tally_counts_clinics_assistants_and_calls_and_sums_up_who_is_left_alone() -> None:
    tally = Tally()
    tally.add("update", 3, 4)
    tally.add("add", 1, 2)
    tally.add("remove", 2, 2)
    tally.add("already", 5, 6)
    tally.add("left", 1, 1)
    tally.add("refused", 1, 1)
    tally.add("unused", 1, 0)
    assert tally.counts == PlanCounts(update=3, add=1, remove=2, already=5, left=3, calls=3 + 5 + 4)
    assert tally.assistants["already"] == 6

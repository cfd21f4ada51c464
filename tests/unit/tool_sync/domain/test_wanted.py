"""What an org is to have of all tools, as of a fleet; and the code that says why, where that is nothing."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from tool_sync.domain.events import (
    Event,
    FleetEvent,
    OrgClosed,
    OrgTierChanged,
    RolloutAborted,
    RolloutRolledBack,
    RolloutStage,
    ToolHalted,
    ToolResumed,
    ToolSettingChanged,
    ToolUpdated,
)
from tool_sync.domain.fleet.decide import TIERS
from tool_sync.domain.toolset import Toolset
from tool_sync.domain.wanted import Wanted, WantedTool, leaving, wanted_of

from .builders import ACCOUNT, BOOK, after, failed, given, registered, registering, uid, updating
from .fleets import EVERYBODY, ORG, fleet_of, ordered, published, started

OFF = ToolSettingChanged("book", enabled=False)
HAVE = (registering(), registered())


def everything(tiers: Iterable[str]) -> list[FleetEvent]:
    """Tools ``t0``, ``t1`` … for these tiers, all ordered for every clinic."""
    events: list[FleetEvent] = []
    for n, tier in enumerate(tiers):
        events += [published(f"t{n}", tier=tier), *ordered(f"r-{n}", tool=f"t{n}")]
    return events


def wanted(*fleet_events: FleetEvent, of: Iterable[Event] = (), answered: Iterable[tuple[str, int]] = ()) -> Wanted:
    """What the org with the events ``of`` is to have after these of the fleet."""
    return wanted_of(given(*of), fleet_of(*fleet_events, answered=frozenset(answered)), ORG, after(0))


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        ("basic", ["t1"]),
        ("professional", ["t0", "t1"]),
        ("enterprise", ["t0", "t1", "t2"]),
        ("a tier of a later release", ["t1"]),
    ],
)
def test_an_org_gets_the_tools_of_its_tier_and_of_all_below_in_the_order_of_their_first_versions(
    tier: str, expected: list[str]
) -> None:
    made = wanted(*everything(["professional", "basic", "enterprise"]), of=[OrgTierChanged(tier)])

    assert [tool.name for tool in made.tools] == expected


@for_all(st.lists(st.sampled_from(TIERS), min_size=1, max_size=6))
def test_a_higher_tier_never_has_less(tiers: list[str]) -> None:
    events = everything(tiers)
    sets = [{tool.name for tool in wanted(*events, of=[OrgTierChanged(tier)]).tools} for tier in TIERS]

    assert sets[0] <= sets[1] <= sets[2] == {f"t{n}" for n in range(len(tiers))}


def test_a_wanted_tool_names_its_version_its_document_and_its_order_and_all_of_them_the_fleets_position() -> None:
    made = wanted(published(), published(version=2), *ordered("r-1"), *ordered("r-2", 2))

    assert made == Wanted((WantedTool("book", 2, "hash-book-2", "r-2"),), fleet_position=6)


def test_a_tool_whose_contract_nobody_answers_is_kept_as_it_is_and_is_not_unwanted() -> None:
    events = (published(), published(version=2, contract=2), *ordered("r-2", 2))
    kept = wanted(*events, of=HAVE)

    assert (kept.tools, dict(kept.unwanted)) == ((BOOK,), {})
    assert kept.tools[0].order is None, "it is kept for no order"
    lacks = wanted(*events)
    assert (lacks.tools, dict(lacks.unwanted)) == ((), {})
    assert wanted(*events, of=HAVE, answered=[("book", 2)]).tools == (WantedTool("book", 2, "hash-book-2", "r-2"),)


def test_an_order_that_was_aborted_holds_the_clinic_only_where_its_write_has_happened() -> None:
    canary = RolloutStage("own", orgs=(str(ORG),))
    events = (published(), published(version=2), *ordered("r-1"), started("r-2", 2, (canary, EVERYBODY)))
    aborted = (*events, RolloutAborted("r-2", "book", "wrong"))
    begun = (*HAVE, replace(updating(), order="r-2"))
    refused = failed("tool:book", attempt_id=uid(101), end="refused", retry_at=None)
    done = ToolUpdated(uid(101), ACCOUNT, "book", "t-1", 2, "hash-book-2", "answer", order="r-2")

    versions = [wanted(*aborted, of=(*begun, end)).tools[0].definition_version for end in (refused, done)]
    assert versions == [1, 2]


def test_a_closed_org_wants_nothing_and_all_that_it_has_leaves_as_closed() -> None:
    state = given(*HAVE, OrgClosed())
    made = wanted_of(state, fleet_of(published(), *ordered("r-1")), ORG, after(0))

    assert (made.tools, dict(made.unwanted)) == ((), {})
    assert leaving(state, made, state.tools, has_assistants=True) == {"book": "closed"}


@pytest.mark.parametrize(
    ("fleet_events", "own", "code"),
    [
        pytest.param((published(), *ordered("r-1")), (), None, id="it wants a tool"),
        pytest.param((published(), *ordered("r-1")), (OFF,), "TS-501", id="switched off"),
        pytest.param((published(tier="enterprise"), *ordered("r-1")), (), "TS-502", id="not in its tier"),
        pytest.param((), (), "TS-503", id="nothing is published"),
        pytest.param((published(),), (), "TS-503", id="published, and ordered for nobody"),
        pytest.param((published(), *ordered("r-1", None)), (), "TS-503", id="ordered away"),
        pytest.param(
            (published(), *ordered("r-1"), RolloutRolledBack("r-1", "book", "wrong")), (), "TS-503", id="rolled back"
        ),
        pytest.param((published(), *ordered("r-1"), ToolHalted("book", "wrong")), (), "TS-504", id="halted"),
        pytest.param(
            (published(), *ordered("r-1"), ToolHalted("book", "wrong"), ToolResumed("book", "right")),
            (), None, id="halted and resumed",
        ),
    ],
)  # fmt: skip
def test_where_no_tool_is_wanted_a_code_says_why(
    fleet_events: tuple[FleetEvent, ...], own: tuple[Event, ...], code: str | None
) -> None:
    assert wanted(*fleet_events, of=own).none_wanted == code


BOOK_AND_HIGHER = (
    published(), published("cancel", tier="enterprise"), *ordered("r-1"), *ordered("r-2", tool="cancel"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("fleet_events", "own", "code"),
    [
        pytest.param(BOOK_AND_HIGHER, (OFF,), "TS-501", id="its own setting before its tier"),
        pytest.param((*BOOK_AND_HIGHER, ToolHalted("book", "wrong")), (), "TS-504", id="a halt before its tier"),
        pytest.param(
            (*BOOK_AND_HIGHER, ToolHalted("book", "wrong")), (OFF,), "TS-504", id="switching it on would not help"
        ),
        pytest.param(
            (*BOOK_AND_HIGHER, *ordered("r-3", None)), (OFF,), "TS-502", id="its tier before what is ordered away"
        ),
    ],
)
def test_of_several_reasons_the_one_counts_that_is_nearest_to_the_clinic(
    fleet_events: tuple[FleetEvent, ...], own: tuple[Event, ...], code: str
) -> None:
    assert wanted(*fleet_events, of=own).none_wanted == code


def test_what_is_wanted_before_the_first_event_of_all_is_nothing() -> None:
    assert wanted_of(Toolset(), fleet_of(), ORG, after(0)) == Wanted(none_wanted="TS-503", fleet_position=0)

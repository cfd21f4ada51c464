"""Whatever was ordered in whatever order: decisions are recomputable, the newest order counts, a roll-back is none."""

from hypothesis import given
from hypothesis import strategies as st

from tool_sync.domain.events import (
    FleetEvent,
    RolloutAborted,
    RolloutExpired,
    RolloutPaused,
    RolloutResumed,
    RolloutRolledBack,
    RolloutStage,
    RolloutStageOpened,
)
from tool_sync.domain.fleet import Clinic, decide_tool
from tool_sync.domain.fleet.decide import TIERS

from ..builders import after
from ..fleets import (
    EVERYBODY,
    ORG,
    OTHERS,
    OWN,
    and_then,
    completed,
    fleet_of,
    ordered,
    org_of_ring,
    published,
    started,
)

IDS = ("r-1", "r-2", "r-3")
VERSIONS = st.sampled_from([1, 2, 3, None])
STAGES = st.lists(st.sampled_from([OWN, OTHERS, EVERYBODY, RolloutStage("one percent", 100)]), max_size=3).map(tuple)
ORDER_EVENTS = st.one_of(
    st.builds(started, st.sampled_from(IDS), VERSIONS, STAGES),
    *(
        st.sampled_from(IDS).map(make)
        for make in (
            lambda one: RolloutStageOpened(one, "book", 1, "gate"),
            lambda one: RolloutPaused(one, "book", "why"),
            lambda one: RolloutResumed(one, "book", "why"),
            lambda one: RolloutAborted(one, "book", "why"),
            lambda one: RolloutExpired(one, "book"),
            lambda one: RolloutRolledBack(one, "book", "why"),
            completed,
        )
    ),
)
HISTORIES = st.lists(ORDER_EVENTS, max_size=20)
CLINICS = st.builds(
    Clinic,
    st.sampled_from([str(ORG), org_of_ring(100), org_of_ring(at_least=9_000)]),
    st.sampled_from(TIERS),
    since=st.none() | st.integers(0, 25).map(after),
    follows=st.sampled_from([{}, *({"book": (one,)} for one in IDS)]),
)
ALL = (published(), published(version=2), published(version=3))


@given(HISTORIES, CLINICS)
def test_every_decision_can_be_recomputed_from_the_log_as_it_was_then(
    history: list[FleetEvent], clinic: Clinic
) -> None:
    """What comes later in the log changes nothing of what was decided before, nor does deciding change anything."""
    fleets = [fleet_of(*ALL)]
    made = [decide_tool(clinic, fleets[0], "book")]
    for event in history:
        fleets.append(and_then(fleets[-1], event))
        made.append(decide_tool(clinic, fleets[-1], "book"))

    for count, (fleet, decision) in enumerate(zip(fleets, made, strict=True)):
        anew = fleet_of(*ALL, *history[:count])
        assert anew == fleet
        assert decide_tool(clinic, anew, "book") == decide_tool(clinic, fleet, "book") == decision


@given(HISTORIES, CLINICS, VERSIONS)
def test_a_newer_completed_order_for_all_beats_every_older_one_whatever_the_numbers_are(
    history: list[FleetEvent], clinic: Clinic, version: int | None
) -> None:
    made = decide_tool(clinic, fleet_of(*ALL, *history, *ordered("newest", version)), "book")

    assert (None if made.version is None else made.version.version, made.beaten) == (version, ())
    assert made.order is not None
    assert made.order.rollout_id == "newest"


@given(HISTORIES, CLINICS, VERSIONS)
def test_an_order_that_was_rolled_back_leaves_everything_as_if_it_had_never_been(
    history: list[FleetEvent], clinic: Clinic, version: int | None
) -> None:
    without = decide_tool(clinic, fleet_of(*ALL, *history), "book")
    with_it = (*ALL, *history, *ordered("newest", version), RolloutRolledBack("newest", "book", "why"))

    assert decide_tool(clinic, fleet_of(*with_it), "book") == without


@given(HISTORIES, CLINICS)
def test_what_holds_the_clinic_is_a_standing_order_or_one_that_it_follows(
    history: list[FleetEvent], clinic: Clinic
) -> None:
    order = decide_tool(clinic, fleet_of(*ALL, *history), "book").order

    if order is not None:
        assert order.state != "rolled_back"
        assert order.state in ("running", "completed") or order.rollout_id in clinic.follows.get("book", ())

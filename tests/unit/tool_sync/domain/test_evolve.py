"""The state after events: what is open, what we have, what failed."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tool_sync.domain.assistants import evolve_assistant
from tool_sync.domain.events import (
    AssistantDiverged,
    AssistantRemoved,
    AssistantSynced,
    AssistantSyncFailed,
    DriftDetected,
    FleetEvent,
    OrgClosed,
    OrgRegistered,
    OrgSettled,
    OrgTierChanged,
    RequestUnreadable,
    Settled,
    ToolOrdered,
    ToolRegistrationStarted,
    ToolRetired,
    ToolUpdated,
    ToolUpdateStarted,
    ToolVanished,
)
from tool_sync.domain.plan.steps import LinkAssistant
from tool_sync.domain.toolset import Toolset

from .builders import (
    ACCOUNT,
    BOOK,
    after,
    asked,
    assistant,
    failed,
    given,
    linked,
    linking,
    plan,
    ref,
    registered,
    registering,
    then,
    uid,
    updating,
)
from .fleets import published, started


def synced(agent_id: str = "a", through: int = 1, sequence: int | None = 1) -> AssistantSynced:
    requests = (Settled(uid(through), None),)
    return AssistantSynced(agent_id, f"vapi-{agent_id}", 1, ACCOUNT, (ref(),), requests, through, None, sequence)


def sync_failed(agent_id: str | None = "a", through: int = 1, look: float | None = None) -> AssistantSyncFailed:
    look_at = None if look is None else after(look)
    return AssistantSyncFailed(agent_id, None, 1, ACCOUNT, (), (), "TS-101", (), through, look_at, 1)


def test_an_org_is_basic_and_empty_before_anything_happened() -> None:
    assert given() == Toolset(version=0, position=0, sequence=0, tier="basic")


def test_the_position_counts_all_events_and_the_version_only_our_own() -> None:
    state = given(OrgRegistered("basic"), asked(), registering(), registered())

    assert (state.position, state.version) == (4, 2)


def test_a_tier_change_is_org_wide_work_until_it_is_settled() -> None:
    state = given(OrgRegistered("basic"), OrgTierChanged("enterprise"))
    assert (state.tier, state.org_wide_through) == ("enterprise", 2)

    assert then(state, OrgSettled(1)).org_wide_through == 2  # what came later is not settled by it
    assert then(state, OrgSettled(2)).org_wide_through is None


def test_a_closed_org_is_closed_and_still_has_to_be_settled() -> None:
    state = given(asked(), OrgClosed())

    assert (state.closed, state.org_wide_through, len(state.requests)) == (True, 2, 1)


def test_a_removal_is_org_wide_work() -> None:
    assert given(AssistantRemoved("a", None)).org_wide_through == 1


def test_requests_stay_open_in_order_until_an_outcome_settles_them() -> None:
    state = given(asked(1), asked(2, "b"), asked(3), RequestUnreadable(uid(4), None))
    assert [r.asked.request_id for r in state.requests] == [uid(1), uid(2), uid(3), uid(4)]

    state = then(state, synced("a", through=1))
    assert [r.asked.request_id for r in state.requests] == [uid(2), uid(3), uid(4)]
    state = then(state, sync_failed(None, through=4))
    assert [r.asked.request_id for r in state.requests] == [uid(2), uid(3)]
    state = then(state, sync_failed("b", through=2), synced("a", through=3, sequence=2))
    assert state.requests == ()


def test_an_outcome_without_a_sequence_leaves_the_count() -> None:
    assert given(asked(), synced(sequence=7), synced(sequence=None)).sequence == 7


def test_a_diverged_assistant_takes_a_number() -> None:
    assert given(AssistantDiverged("a", "vapi-a", 1, "m", 3)).sequence == 3


def test_an_attempt_is_open_from_its_announcement_to_its_answer() -> None:
    state = given(registering())
    assert [a.subject for a in state.attempts.values()] == ["tool:book"]

    state = then(state, registered())
    assert (dict(state.attempts), dict(state.tools)) == ({}, {"book": ref()})


def test_an_unknown_end_leaves_the_attempt_open_and_a_known_one_closes_it() -> None:
    state = given(registering(), failed("tool:book", attempt_id=uid(100), end="unknown"))
    assert set(state.attempts) == {uid(100)}

    for end in ("not_sent", "refused", "absent"):
        assert then(state, failed("tool:book", attempt_id=uid(100), end=end)).attempts == {}


def test_an_answer_forgets_the_failures_of_its_subject_alone() -> None:
    state = given(
        failed("tool:book"), failed("tool:other"), failed("agent:a"), failed("agent:b"), registering(), registered()
    )
    assert set(state.failures) == {"tool:other", "agent:a", "agent:b"}

    assert set(then(state, linking(), linked()).failures) == {"tool:other", "agent:b"}
    assert set(then(state, synced("b")).failures) == {"tool:other", "agent:a"}


def test_an_update_keeps_the_id_and_takes_the_new_definition() -> None:
    newer = ToolUpdated(uid(101), ACCOUNT, "book", "t-1", 2, "hash-book-2", "answer")
    state = given(registering(), registered(), updating(), newer)

    assert (state.tools["book"].vapi_tool_id, state.tools["book"].definition_hash) == ("t-1", "hash-book-2")
    assert state.attempts == {}


def test_a_vanished_tool_is_gone_with_its_attempts_and_failures() -> None:
    state = given(
        registering(), registered(), updating(), failed("tool:book", attempt_id=uid(101), end="unknown"),
        ToolVanished(ACCOUNT, "book", "t-1", 1, "hash-book-1"),
    )  # fmt: skip

    assert (dict(state.tools), dict(state.attempts), dict(state.failures)) == ({}, {}, {})
    assert state.org_wide_through == 5  # every assistant that names the dead id must be relinked


def test_a_save_lifts_what_only_a_save_can_lift() -> None:
    state = given(
        failed("agent:a", retry_at=None, code="TS-303"),
        failed("agent:b", retry_at=None, code="TS-303"),
        failed("tool:book", retry_at=None, code="TS-301"),
        asked(1, "a"),
    )
    assert set(state.failures) == {"agent:b"}


def test_a_save_does_not_shorten_a_wait() -> None:
    state = given(failed("agent:a"), failed("tool:book", failures=5), asked(1, "a"))

    assert set(state.failures) == {"agent:a", "tool:book"}
    assert state.failures["tool:book"].count == 5


def test_a_save_lifts_the_wait_for_a_newer_version_of_its_own_assistant() -> None:
    state = given(failed("agent:a", code="TS-305"), failed("agent:b", code="TS-305"), asked(1, "a"))

    assert set(state.failures) == {"agent:b"}


def test_a_failure_that_no_request_keeps_in_mind_is_looked_at_when_it_is_due() -> None:
    assert given(failed("agent:a")).looks == {"a": after(10)}
    assert given(asked(1, "a"), failed("agent:a")).looks == {}
    assert given(failed("agent:a"), failed("agent:a", retry_at=None)).looks == {}


def test_a_failing_outcome_says_when_to_look_again() -> None:
    assert given(asked(), sync_failed(look=900)).looks == {"a": after(900)}
    assert given(asked(), sync_failed(look=900), sync_failed(look=None)).looks == {}
    assert given(asked(), sync_failed(look=900), synced()).looks == {}


@pytest.mark.parametrize("event", [published(), started("r-1")], ids=lambda event: type(event).__name__)
def test_an_event_of_the_fleet_is_in_no_orgs_stream(event: FleetEvent) -> None:
    with pytest.raises(AssertionError, match=f"{type(event).__name__} is in no org's stream"):
        given(event)


def test_an_org_is_as_old_as_its_first_event() -> None:
    state = then(given(asked(1), at=7), OrgRegistered("basic"), at=9)

    assert (given().since, state.since) == (None, after(7))


def test_an_order_gives_a_tool_once_its_write_has_happened() -> None:
    made = then(given(registering()), replace(registered(), order="r-1"))
    assert (given(replace(registering(), order="r-1")).given_by, made.given_by) == ({}, {"book": ("r-1",)})

    newer = ToolUpdated(uid(101), ACCOUNT, "book", "t-1", 2, "hash-book-2", "answer", order="r-2")
    assert then(made, updating(), newer).given_by == {"book": ("r-1", "r-2")}
    away = ToolRetired(ACCOUNT, *ref().fields, "order", after(60), "r-3", 9)
    assert then(made, away).given_by == {"book": ("r-1", "r-3")}


def test_a_write_that_was_refused_leaves_the_order_that_gave_the_tool() -> None:
    state = then(given(registering()), replace(registered(), order="r-1"))
    refused = failed("tool:book", attempt_id=uid(101), end="refused", retry_at=None)

    assert then(state, replace(updating(), order="r-2"), refused).given_by == {"book": ("r-1",)}


@pytest.mark.parametrize("start", [registering, updating])
def test_the_newest_fleet_that_anything_about_a_tool_was_decided_on_is_kept(
    start: Callable[[], ToolRegistrationStarted | ToolUpdateStarted],
) -> None:
    state = given(replace(start(), order="r-1", fleet_position=4))
    assert state.decided_on == {"book": 4}

    other = replace(start(), attempt_id=uid(102), name="cancel", order="r-2", fleet_position=6)
    later = replace(start(), attempt_id=uid(103), order=None, fleet_position=9)
    older = replace(start(), attempt_id=uid(104), order="r-3", fleet_position=8)
    assert then(state, other, later, older).decided_on == {"book": 9, "cancel": 6}


def test_a_write_for_no_order_leaves_what_the_clinic_was_given_by_as_it_was() -> None:
    """Restored after drift, or taken away by a setting: the order that gave the tool still counts for the clinic."""
    state = given(replace(registering(), order="r-1", fleet_position=4), replace(registered(), order="r-1"))
    restored = (replace(updating(), fleet_position=9), ToolUpdated(uid(101), ACCOUNT, *ref().fields, "answer"))
    later = then(state, *restored, ToolRetired(ACCOUNT, *ref().fields, "setting", after(60), None, 9))

    assert (later.decided_on, later.given_by) == ({"book": 9}, {"book": ("r-1",)})


@pytest.mark.parametrize(
    ("event", "cause"), [(ToolOrdered("book", "r-1"), "rollout"), (ToolOrdered("book", None, halt=True), "halt")]
)
def test_an_order_that_concerns_the_clinic_is_org_wide_work_until_it_is_settled(event: ToolOrdered, cause: str) -> None:
    state = given(OrgRegistered("basic"), event)
    assert (state.org_wide_through, state.org_wide_cause) == (2, cause)

    assert then(state, OrgSettled(2)).org_wide_through is None


def test_an_assistant_remembers_our_write_and_its_outcome() -> None:
    row = evolve_assistant(assistant(), linked())
    assert (row.base_hash, row.written_hash, row.linked) == ("model-1", "model-1", (ref(),))

    row = evolve_assistant(row, sync_failed())
    assert (row.synced, row.failed) == ((), True)
    row = evolve_assistant(row, synced())
    assert (row.synced, row.failed) == ((ref(),), False)
    row = evolve_assistant(row, AssistantDiverged("a", "vapi-a", 4, "m", 3))
    row = evolve_assistant(row, DriftDetected("a", "vapi-a", "foreign"))
    assert (row.diverged_revision, row.drift_hash) == (4, "foreign")
    assert evolve_assistant(row, registered(tool=BOOK)) == row


def test_a_failure_about_the_assistant_that_an_agent_had_before_is_not_the_new_ones() -> None:
    """A worker that slept writes it after the next save has arrived, in another stream."""
    state = given(asked(1), replace(asked(2, revision=2), assistant_id="vapi-after"))
    late = failed("agent:a", code="TS-303", retry_at=None, assistant_id="vapi-a")
    assert then(state, late).failures == {}
    assert "agent:a" in then(state, replace(late, assistant_id="vapi-after")).failures


def test_the_id_of_a_tool_that_is_gone_is_remembered_until_the_tool_is_found_again() -> None:
    """Another agent may have got the assistant that still names it, and its row knows nothing of that link."""
    vanished = given(registered(), ToolVanished(ACCOUNT, "book", "t-1", 1, "hash-book-1"))
    assert vanished.gone == ("t-1",)
    anew = then(vanished, registered(tool_id="t-2"), OrgSettled(settled_through=2), asked())
    (link,) = plan(anew).steps
    assert isinstance(link, LinkAssistant)
    assert link.unwanted == {"t-1"}
    assert then(vanished, registered(tool_id="t-1")).gone == ()


def test_an_order_that_gave_a_tool_before_holds_again_when_the_one_after_it_is_rolled_back() -> None:
    made = then(given(registering()), replace(registered(), order="r-1"))
    aborted = ToolUpdated(uid(101), ACCOUNT, "book", "t-1", 2, "hash-book-2", "answer", order="r-2")
    rolled_back = ToolUpdated(uid(102), ACCOUNT, "book", "t-1", 3, "hash-book-3", "answer", order="r-3")

    assert then(made, updating(), aborted, updating(102), rolled_back).given_by == {"book": ("r-1", "r-2", "r-3")}

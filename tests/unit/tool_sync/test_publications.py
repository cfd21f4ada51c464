"""Which stored events become which messages."""

from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest

from tool_sync.domain import events
from tool_sync.outcomes.publications import publication_of
from tool_sync.outcomes.published import ALL, FLEET, PublishedTopic
from zerotouch_contracts.events import AssistantDiverged, SyncedTool, ToolsSynced, ToolSyncFailed
from zerotouch_contracts.fleet import RolloutEnded, RolloutStarted, ToolChangeAnnounced, ToolUpdated

ORG = UUID("6a1f3c52-9d0e-4c58-8a52-6f6a5f0f7a11")
REQUEST = UUID("11111111-2222-4333-8444-555555555555")
TRACE = "0af7651916cd43dd8448eb211c80319c"
TOOL = events.ToolRef("bookClinicAppointment", "tool-1", 3, "a" * 64)


def synced(sequence: int | None) -> events.AssistantSynced:
    return events.AssistantSynced(
        agent_id="agent-1",
        assistant_id="assistant-1",
        revision=4,
        account="platform",
        tools=(TOOL,),
        requests=(events.Settled(REQUEST, TRACE),),
        settled_through=17,
        cause=None,
        sequence=sequence,
    )


def failed(code: str) -> events.AssistantSyncFailed:
    return events.AssistantSyncFailed(
        agent_id=None,
        assistant_id=None,
        revision=None,
        account="platform",
        tools=(),
        failed_tools=(events.ToolFailure("bookClinicAppointment", "TS-301"),),
        code=code,
        requests=(events.Settled(REQUEST, None),),
        settled_through=17,
        look_at=None,
        sequence=2,
    )


def test_a_sync_with_a_sequence_is_published_whole() -> None:
    message = publication_of(ORG, synced(9))
    assert isinstance(message, ToolsSynced)
    assert (message.org_id, message.sequence, message.revision, message.vapi_account) == (ORG, 9, 4, "platform")
    assert message.tools == (SyncedTool(name="bookClinicAppointment", vapi_tool_id="tool-1", definition_version=3),)
    assert [(r.request_id, r.trace_id) for r in message.requests] == [(REQUEST, TRACE)]


def test_a_sync_without_a_sequence_is_not_published() -> None:
    assert publication_of(ORG, synced(None)) is None


def test_a_failure_says_its_code_in_words() -> None:
    message = publication_of(ORG, failed("TS-401"))
    assert isinstance(message, ToolSyncFailed)
    assert message.code == "TS-401"
    assert message.message.startswith("Request unreadable: ")
    assert [(t.name, t.code) for t in message.failed_tools] == [("bookClinicAppointment", "TS-301")]
    assert (message.agent_id, message.assistant_id, message.revision) == (None, None, None)


def test_a_code_of_a_newer_release_is_published_without_words() -> None:
    message = publication_of(ORG, failed("TS-777"))
    assert isinstance(message, ToolSyncFailed)
    assert (message.code, message.message) == ("TS-777", "")


def test_a_divergence_asks_for_its_revision() -> None:
    message = publication_of(ORG, events.AssistantDiverged("agent-1", "assistant-1", 4, "b" * 64, 5))
    assert isinstance(message, AssistantDiverged)
    assert (message.revision, message.sequence, message.code) == (4, 5, "TS-305")


@pytest.mark.parametrize("topic", ALL, ids=lambda topic: topic.name)
@pytest.mark.parametrize("cls", get_args(events.Event))
def test_no_other_event_is_ever_published(cls: type[events.Event], topic: PublishedTopic) -> None:
    if cls.__name__ not in topic.stored_types:
        # Without running __init__: the class alone must decide.
        assert topic.message_of(uuid4(), object.__new__(cls)) is None


def test_each_topic_has_a_cursor_a_lock_a_field_and_stored_events_of_its_own() -> None:
    for field in ("name", "cursor", "lock_key", "numbered_by"):
        assert len({getattr(topic, field) for topic in ALL}) == len(ALL)
    assert len({topic.topic.name for topic in ALL}) == len(ALL)
    stored = [name for topic in ALL for name in topic.stored_types]
    assert len(stored) == len(set(stored))


HASH, CHANGE = "3c" * 32, UUID("22222222-2222-4333-8444-555555555555")
WHEN = datetime(2026, 12, 8, tzinfo=UTC)
UPDATE: dict[str, Any] = {
    "account": "platform", "name": "book", "vapi_tool_id": "tool-1", "definition_version": 3, "definition_hash": HASH,
    "order": "r-3", "note": "it says the clinic", "version_before": 2, "hash_before": "2b" * 32,
}  # fmt: skip


def told(event: events.Event, org_id: UUID | None = ORG) -> Any:
    message = FLEET.message_of(org_id, event)
    assert message is not None
    return message


def test_an_update_in_place_is_told_twice_by_one_id_with_what_it_replaces() -> None:
    started = events.ToolUpdateStarted(CHANGE, **UPDATE, cause="rollout", fleet_sequence=4)
    done = events.ToolUpdated(CHANGE, **UPDATE, answer_hash=HASH, cause="rollout", fleet_sequence=5)
    announced, updated = told(started), told(done)
    assert (type(announced), type(updated)) == (ToolChangeAnnounced, ToolUpdated)
    assert (announced.sequence, updated.sequence) == (4, 5)
    shared = {name: value for name, value in announced if name != "sequence"}
    assert shared == {name: value for name, value in updated if name != "sequence"}
    assert (updated.org_id, updated.change, updated.change_id) == (ORG, "updated", CHANGE)
    assert (updated.version_before, updated.version, updated.rollout) == (2, 3, "r-3")
    assert (updated.cause, updated.note, updated.vapi_tool_id) == ("rollout", "it says the clinic", "tool-1")


def test_a_tool_that_is_made_replaces_nothing_and_has_no_id_until_it_is_there() -> None:
    tool = ("platform", "book")
    announced = told(events.ToolRegistrationStarted(CHANGE, *tool, 1, HASH, "r-1", cause="save", fleet_sequence=1))
    made = told(
        events.ToolRegistered(
            CHANGE, *tool, "tool-1", 1, HASH, HASH, adopted=False, order="r-1", cause="save", fleet_sequence=2
        )
    )
    assert (announced.change, announced.vapi_tool_id, announced.version_before) == ("registered", None, None)
    assert (made.change, made.vapi_tool_id, made.version_before, made.cause) == ("registered", "tool-1", None, "save")


def test_a_tool_that_is_wanted_again_is_told_without_a_change_of_its_own() -> None:
    again = told(events.ToolReinstated("platform", "book", "tool-1", 3, HASH, cause="setting", fleet_sequence=7))
    assert (again.change, again.change_id, again.rollout, again.cause) == ("reinstated", None, None, "setting")


@pytest.mark.parametrize(
    ("reason", "cause"),
    [("order", "rollout"), ("halted", "halt"), ("tier", "tier"), ("setting", "setting"), ("unused", "unused"),
     ("closed", "closed")],
)  # fmt: skip
def test_a_retirement_is_told_with_its_cause(reason: events.RetireReason, cause: str) -> None:
    message = told(events.ToolRetired("platform", "book", "tool-1", 3, HASH, reason, WHEN, "r-3", 9, 8))
    assert (message.cause, message.rollout, message.version, message.delete_at) == (cause, "r-3", 3, WHEN)


def test_the_answer_to_what_an_older_release_announced_is_told_with_what_is_known() -> None:
    old = {**UPDATE, "version_before": None, "hash_before": None, "note": ""}
    message = told(events.ToolUpdated(CHANGE, **old, answer_hash=HASH, fleet_sequence=1))
    assert (message.cause, message.version_before, message.rollout) == ("rollout", None, "r-3")


@pytest.mark.parametrize(
    ("event", "how", "cause", "reason"),
    [
        (events.RolloutCompleted("r-3", "book", "gate", fleet_sequence=2), "completed", "gate", ""),
        (events.RolloutAborted("r-3", "book", "wrong", 2), "aborted", "operator", "wrong"),
        (events.RolloutRolledBack("r-3", "book", "wrong", 2), "rolled_back", "operator", "wrong"),
        (events.RolloutExpired("r-3", "book", 2), "expired", "time", ""),
    ],
)
def test_a_rollout_ends_in_words_of_its_own(event: events.Event, how: str, cause: str, reason: str) -> None:
    message = told(event, org_id=None)
    assert isinstance(message, RolloutEnded)
    assert (message.rollout_id, message.sequence, message.how, message.cause, message.reason) == (
        "r-3", 2, how, cause, reason,
    )  # fmt: skip


def test_a_rollouts_beginning_names_its_stages_and_never_a_clinic() -> None:
    stages = (events.RolloutStage("own clinics", orgs=(str(ORG),)), events.RolloutStage("all", 10_000))
    message = told(events.RolloutStarted("r-3", "book", None, stages, "x" * 600, WHEN, fleet_sequence=1), org_id=None)
    assert isinstance(message, RolloutStarted)
    assert (message.version, message.stages, message.expires_at) == (None, ("own clinics", "all"), WHEN)
    assert message.reason == "x" * 499 + "…"
    assert str(ORG) not in message.model_dump_json()

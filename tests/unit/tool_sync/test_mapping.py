"""What each record of the assistants topic stands for."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from aiokafka import ConsumerRecord

from tool_sync.domain import events
from tool_sync.intake.mapping import Poison, Readable, Record, as_poison, read_record
from tool_sync.log import event_id
from zerotouch_contracts.envelope import SOURCE_ASSISTANT_API, to_record
from zerotouch_contracts.events import (
    AssistantDeleted,
    AssistantMessage,
    AssistantSaved,
    OrganizationDeleted,
    OrganizationSaved,
    OutcomeMessage,
    ToolsSynced,
)

ORG = UUID("6a1f3c52-9d0e-4c58-8a52-6f6a5f0f7a11")
REQUEST = UUID("11111111-2222-4333-8444-555555555555")
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
SAVED = AssistantSaved(
    org_id=ORG, request_id=REQUEST, agent_id="a-1", assistant_id="va-1", revision=2, model_hash="c" * 64, cause="save"
)


def consumed(
    message: AssistantMessage | OutcomeMessage, *, cause: UUID = REQUEST, traceparent: str | None = TRACEPARENT
) -> Record:
    record = to_record(
        message, id=cause, time=datetime(2026, 1, 2, tzinfo=UTC), log_id=uuid4(), traceparent=traceparent
    )
    return raw(record.key, record.value, list(record.headers))


def raw(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]) -> Record:
    return ConsumerRecord("assistants.v1", 3, 42, 0, 0, key, value, None, 0, 0, headers)


def readable(record: Record) -> Readable:
    mapped = read_record(record)
    assert isinstance(mapped, Readable)
    return mapped


def poison(record: Record) -> Poison:
    mapped = read_record(record)
    assert isinstance(mapped, Poison)
    return mapped


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (
            OrganizationSaved(org_id=ORG, revision=1, name="C", tier="professional"),
            events.OrgRegistered("professional"),
        ),
        (
            OrganizationSaved(org_id=ORG, revision=1, name="C", time_zone="Europe/Berlin"),
            events.OrgRegistered("basic", "Europe/Berlin"),
        ),
        (
            OrganizationSaved(org_id=ORG, revision=3, name="C", time_zone="Mars/Olympus"),
            events.OrgTierChanged("basic", "Mars/Olympus"),
        ),
        (OrganizationSaved(org_id=ORG, revision=2, name="C"), events.OrgTierChanged("basic")),
        (OrganizationDeleted(org_id=ORG), events.OrgClosed()),
        (SAVED, events.SyncRequested(REQUEST, "a-1", "va-1", 2, "c" * 64, "save", TRACE)),
        (AssistantDeleted(org_id=ORG, agent_id="a-1"), events.AssistantRemoved("a-1", None)),
    ],
)
def test_each_message_is_one_event_in_its_orgs_stream(message: AssistantMessage, event: events.OrgEvent) -> None:
    request = readable(consumed(message)).request
    (new,) = request.events
    assert new.event == event
    assert (request.stream, request.org_id, request.expected_version) == (f"org-{ORG}", ORG, None)
    assert (request.meta.causation_id, request.meta.traceparent) == (str(REQUEST), TRACEPARENT)


def test_the_same_record_has_the_same_event_id_and_another_message_another() -> None:
    first, again = readable(consumed(SAVED)), readable(consumed(SAVED))
    other = readable(consumed(SAVED, cause=uuid4()))
    assert first.request.events[0].event_id == again.request.events[0].event_id
    assert first.request.events[0].event_id == event_id(
        f"org-{ORG}", SOURCE_ASSISTANT_API, str(REQUEST), "SyncRequested", 0
    )
    assert first.request.events[0].event_id != other.request.events[0].event_id


@pytest.mark.parametrize("traceparent", [None, "garbage", "00-" + "0" * 32 + "-b7ad6b7169203331-01"])
def test_a_missing_or_malformed_traceparent_is_no_trace(traceparent: str | None) -> None:
    mapped = readable(consumed(SAVED, traceparent=traceparent))
    event = mapped.request.events[0].event
    assert isinstance(event, events.SyncRequested)
    assert (event.trace_id, mapped.traceparent, mapped.request.meta.traceparent) == (None, None, None)


def test_an_unreadable_save_still_gets_a_request_for_its_outcome() -> None:
    record = consumed(SAVED)
    mapped = poison(raw(record.key, b"{not json", record.headers))
    assert mapped.request is not None
    assert mapped.request.events[0].event == events.RequestUnreadable(REQUEST, TRACE)
    assert mapped.request.stream == f"org-{ORG}"


@pytest.mark.parametrize(
    ("key", "message_type", "message_id"),
    [
        (b"no uuid", AssistantSaved.TYPE.encode(), str(REQUEST).encode()),
        (None, AssistantSaved.TYPE.encode(), str(REQUEST).encode()),
        (str(ORG).encode(), OrganizationSaved.TYPE.encode(), str(REQUEST).encode()),
        (str(ORG).encode(), AssistantSaved.TYPE.encode(), b"no uuid"),
        (str(ORG).encode(), None, str(REQUEST).encode()),
        (str(ORG).encode(), AssistantSaved.TYPE.encode(), None),
    ],
)
def test_without_a_known_org_type_and_id_there_is_only_the_dead_letter(
    key: bytes | None, message_type: bytes | None, message_id: bytes | None
) -> None:
    known = [("ce_id", message_id), ("ce_type", message_type)]
    headers = [("ce_specversion", b"1.0"), *known, ("ce_source", b"/s"), ("ce_time", b"t")]
    assert poison(raw(key, b"{}", headers)).request is None


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (None, None, []),
        (b"\xff\xfe", b"\xff\xfe", [("ce_type", None), ("x", b"\xff\x00")]),
        (str(ORG).encode(), b"[" * 100_000, [("ce_specversion", b"1.0")]),
        (str(ORG).encode(), b"x" * 400_000, [("ce_id", b"\x00")]),
    ],
)
def test_whatever_a_record_holds_reading_it_never_raises(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    assert poison(raw(key, value, headers)).reason


def test_an_outcome_does_not_belong_on_the_assistants_topic() -> None:
    outcome = ToolsSynced(org_id=ORG, sequence=1, agent_id="a", assistant_id="v", revision=1, tools=())
    assert "does not belong here" in poison(consumed(outcome)).reason


def test_another_orgs_key_is_refused() -> None:
    record = consumed(SAVED)
    mapped = poison(raw(str(uuid4()).encode(), record.value, record.headers))
    assert mapped.reason == "the key is not the org id of the body"


def test_a_save_that_the_log_refuses_gets_its_outcome_too() -> None:
    mapped = as_poison(readable(consumed(SAVED)), "refused")
    assert mapped.request is not None
    assert mapped.request.events[0].event == events.RequestUnreadable(REQUEST, TRACE)
    organization = readable(consumed(OrganizationSaved(org_id=ORG, revision=1, name="C")))
    assert as_poison(organization, "refused").request is None

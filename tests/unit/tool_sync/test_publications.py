"""Which stored events become which messages."""

from typing import get_args
from uuid import UUID, uuid4

import pytest

from tool_sync.domain import events
from tool_sync.outcomes.publications import PUBLISHABLE, publication_of
from zerotouch_contracts.events import AssistantDiverged, SyncedTool, ToolsSynced, ToolSyncFailed

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


@pytest.mark.parametrize("cls", [cls for cls in get_args(events.Event) if cls not in PUBLISHABLE])
def test_no_other_event_is_ever_published(cls: type[events.Event]) -> None:
    # Without running __init__: the class alone must decide.
    assert publication_of(uuid4(), object.__new__(cls)) is None

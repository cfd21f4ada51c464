"""Every event has its words, whatever is or is not in it; and a run is drawn to scale."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from tool_sync.domain.events import Event
from tool_sync.queries.event_words import WORDS, said
from tool_sync.queries.timeline import TimelineEntry
from tool_sync.queries.waterfall import WIDTH, waterfall_of

BEGUN = datetime(2026, 11, 30, 14, 19, tzinfo=UTC)
EVENTS = {cls.__name__ for cls in get_args(Event)}


def test_every_event_has_words_and_no_other() -> None:
    assert set(WORDS) == EVENTS


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_words_are_a_sentence_also_where_fields_are_missing(name: str) -> None:
    words = said(name, {})
    assert len(words) > 10
    assert words[0].islower() or words.startswith("Vapi")
    assert name not in words


def test_a_type_of_a_newer_release_is_called_by_its_name() -> None:
    assert "SomethingNew" in said("SomethingNew", {})


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("ToolRegistrationStarted", {"name": "bookClinicAppointment", "definition_version": 3},
         "we asked Vapi for the tool for booking, version 3"),
        ("ToolRegistered", {"name": "x", "adopted": True}, "we found the tool for x at Vapi, and took it over"),
        ("SyncRequested", {"revision": 2, "cause": "repair"}, "the assistant was saved, by repair (revision 2)"),
        ("SyncAttemptFailed", {"end": "refused", "code": "TS-301", "retry_at": "2026-11-30T15:00:00Z"},
         "Vapi refused it: Vapi refused the tool's definition (4xx) (TS-301); we try again at 30 Nov 2026 15:00:00 "
         "UTC"),
        ("ToolSettingChanged", {"name": "x", "enabled": False, "reason": "no"}, "the tool for x was switched off: no"),
        ("TrafficSplitSeen", {"versions": ["1"]}, "we saw that Vapi sends calls to several versions of the assistant"),
        ("AssistantSynced", {"reason": "TS-502"},
         "it is done, without any tool: no tool belongs to the clinic's tier, so the assistant has none and takes no "
         "bookings"),
    ],
)  # fmt: skip
def test_what_some_of_them_say(name: str, data: dict[str, Any], words: str) -> None:
    assert said(name, data) == words


def at(seconds: float, name: str, **data: Any) -> TimelineEntry:
    return TimelineEntry(int(seconds * 10), BEGUN + timedelta(seconds=seconds), name, data, "trace")


def test_a_write_is_one_bar_from_its_announcement_to_its_answer() -> None:
    drawn = waterfall_of(
        [
            at(0, "SyncRequested"),
            at(1, "ToolRegistrationStarted", attempt_id="a"),
            at(3, "ToolRegistered", attempt_id="a"),
            at(4, "AssistantSynced"),
        ],
        BEGUN + timedelta(hours=1),
    )
    assert drawn is not None
    assert drawn.seconds == 4
    assert [(bar.offset_seconds, bar.seconds) for bar in drawn.bars] == [(0, None), (1, 2), (4, None)]
    write = drawn.bars[1]
    assert write.x == pytest.approx(WIDTH / 4, rel=0.01)
    assert write.width == pytest.approx(WIDTH / 2, rel=0.01)
    assert not write.is_open
    assert all(bar.x + bar.width <= WIDTH for bar in drawn.bars)


def test_a_write_without_an_answer_lasts_until_now() -> None:
    events = [at(0, "SyncRequested"), at(1, "AssistantLinkStarted", attempt_id="a")]
    drawn = waterfall_of(events, BEGUN + timedelta(seconds=11))
    assert drawn is not None
    assert (drawn.bars[1].seconds, drawn.bars[1].is_open) == (10, True)


def test_a_write_that_failed_and_an_answer_alone() -> None:
    drawn = waterfall_of(
        [at(0, "ToolRegistered", attempt_id="b"), at(0, "ToolUpdateStarted", attempt_id="a"),
         at(0, "SyncAttemptFailed", attempt_id="a")],
        BEGUN,
    )  # fmt: skip
    assert drawn is not None
    assert [bar.has_failed for bar in drawn.bars] == [False, True]
    assert drawn.seconds == 0


def test_nothing_is_not_drawn() -> None:
    assert waterfall_of([], BEGUN) is None

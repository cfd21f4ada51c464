"""One sentence for each state of an assistant, as it is read out on the phone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tool_sync.domain.events import ToolRef
from tool_sync.queries.assistant_turns import AssistantTurn, Since
from tool_sync.queries.assistant_turns import told as told_of
from tool_sync.queries.can_book import Drift, Facts, State, told
from tool_sync.queries.coverage import lack_of
from tool_sync.queries.gaps import Gap
from tool_sync.queries.plain_words import BOOKING
from tool_sync.queries.tool_settings import ToolSetting
from tool_sync.queries.tool_tries import FailedTry

NOW = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
AT_1419 = NOW.replace(hour=14, minute=19)
AT_1530 = NOW.replace(hour=15, minute=30)
BEFORE = datetime(2026, 11, 28, 9, 2, tzinfo=UTC)
FACTS = Facts("anna", NOW)
SAVED = NOW - timedelta(seconds=3)


def lack(kind: Any, tool: str = "", code: str | None = None) -> Any:
    return lack_of(Gap(kind, tool), code)


def off(tool: str = BOOKING, actor: str = "org:K. Lee", reason: str | None = "double bookings") -> ToolSetting:
    return ToolSetting(tool, False, {}, AT_1419, actor, reason, 7)


MISSING, FAILED, NEVER = lack("not there", BOOKING), lack("failed", code="TS-307"), lack("never synced")
TROUBLE = {BOOKING: FailedTry("TS-102", AT_1530)}

STATES: dict[str, tuple[dict[str, Any], State, str]] = {
    "can": ({"since": Since(AT_1419, False)}, "can", "can book since 14:19"),
    "can, another day": ({"since": Since(BEFORE, False)}, "can", "can book since 28 Nov 2026 09:02"),
    "can for longer than is looked back": (
        {"since": Since(BEFORE, True)}, "can", "can book since before 28 Nov 2026 09:02",
    ),
    "saved again": ({"saved_at": SAVED}, "can", "can book; was saved 3 s ago"),
    "switched off by the clinic": (
        {"none_wanted": "TS-501", "off": (off(),)}, "none",
        "cannot book since 14:19: booking was switched off by the clinic (K. Lee): double bookings",
    ),
    "switched off by an operator, without a reason": (
        {"none_wanted": "TS-501", "off": (off(actor="operator:lee", reason=None),)}, "none",
        "cannot book since 14:19: booking was switched off by an operator (lee)",
    ),
    "one of two switched off": (
        {"off": (off("cancelAppointment"),)}, "can",
        "can book; cancelling was switched off by the clinic (K. Lee): double bookings",
    ),
    "halted": (
        {"none_wanted": "TS-504", "halted": {BOOKING: "it books twice"}, "since": Since(AT_1419, False)}, "none",
        "cannot book since 14:19: booking is stopped for every clinic: it books twice",
    ),
    "no tool in the tier": (
        {"none_wanted": "TS-502", "tier": "basic"}, "none", "takes no bookings: no tool belongs to its tier, basic",
    ),
    "no order": ({"none_wanted": "TS-503"}, "none", "takes no bookings: no tool is ordered for it"),
    "nothing until the change window": (
        {"none_wanted": "TS-503", "opens_at": AT_1530}, "waits",
        "cannot book yet: its tools come when the clinic's change window opens, at 15:30",
    ),
    "a change waits for the window": (
        {"opens_at": AT_1530}, "can",
        "can book; a change waits for the clinic's change window, which opens at 15:30",
    ),
    "just saved": ({"lacks": (NEVER,), "saved_at": SAVED}, "waits", "was saved 3 s ago; its tools come now"),
    "saved, and never synced": (
        {"lacks": (NEVER,), "saved_at": AT_1419}, "cannot",
        "cannot book yet: it was saved at 14:19, and its tools are not there yet",
    ),
    "saved in the future of another clock": (
        {"lacks": (NEVER,), "saved_at": AT_1530}, "waits", "was saved 0 s ago; its tools come now",
    ),
    "the tool failed": (
        {"lacks": (NEVER,), "saved_at": SAVED, "troubles": TROUBLE}, "cannot",
        "cannot book yet: Vapi answered a read with a 5xx status",
    ),
    "failed with a code": (
        {"lacks": (FAILED,), "code": "TS-307", "since": Since(AT_1419, False)}, "cannot",
        "cannot book since 14:19: the assistant has another tool with the same function name, and Vapi does not say "
        "which of the two it calls",
    ),
    "failed with a code of a newer release": (
        {"lacks": (lack("failed", code="TS-998"),), "since": Since(AT_1419, False)}, "cannot",
        "cannot book since 14:19: the last try failed (TS-998)",
    ),
    "the tool is missing": (
        {"lacks": (MISSING,)}, "cannot", "cannot book: the clinic's tool for booking is not at Vapi yet",
    ),
    "the tool is not named": (
        {"lacks": (lack("not named", BOOKING),)}, "cannot",
        "cannot book: its callers do not reach the clinic's tool for booking yet",
    ),
    "an older tool": (
        {"lacks": (lack("another id", BOOKING),)}, "cannot", "cannot book: it still has an older tool for booking",
    ),
    "only another tool lacks": (
        {"lacks": (lack("not there", "cancelAppointment"),)}, "cannot",
        "can book, but not all else (cancelling): the clinic's tool for cancelling is not at Vapi yet",
    ),
    "the key is paused": (
        {"lacks": (MISSING,), "paused": True, "paused_until": NOW.replace(day=30, hour=15, minute=12)}, "waits",
        "waits for Vapi's key, which is paused until 15:12",
    ),
    "the key is paused for nobody knows how long": (
        {"lacks": (NEVER,), "paused": True, "saved_at": SAVED}, "waits", "waits for Vapi's key, which is paused",
    ),
    "the key is paused, and that is not why": (
        {"lacks": (lack("failed", code="TS-304"),), "paused": True}, "cannot",
        "cannot book: the assistant at Vapi has no model, so there is nothing to link tools to",
    ),
    "the key is paused, and it can book": (
        {"paused": True, "since": Since(AT_1419, False)}, "can", "can book since 14:19",
    ),
    "its tool was changed": (
        {"drifts": (Drift(BOOKING, ("description",), False, False),)}, "can",
        "can book; somebody has changed its tool for booking at Vapi (description), and that is put right",
    ),
    "its tool was changed, and stays so": (
        {"drifts": (Drift(BOOKING, ("messages",), False, True),)}, "can",
        "can book; somebody has changed its tool for booking at Vapi (messages), and that stays so",
    ),
    "its tool was deleted": (
        {"drifts": (Drift(BOOKING, (), True, False),)}, "cannot",
        "cannot book: somebody has deleted its tool for booking at Vapi, and it is made again",
    ),
    "an update failed": (
        {"troubles": TROUBLE}, "can",
        "can book; a change of booking failed: Vapi answered a read with a 5xx status, and is tried again at 15:30",
    ),
    "deleted": ({"is_removed": True, "removed_at": AT_1419, "lacks": (NEVER,)}, "gone", "was deleted at 14:19"),
    "deleted, nobody knows when": ({"is_removed": True}, "gone", "was deleted"),
    "the clinic was deleted": (
        {"is_closed": True, "is_removed": True, "none_wanted": "TS-502"}, "gone",
        "takes no bookings: the clinic was deleted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_each_state_has_its_sentence(name: str) -> None:
    fields, state, sentence = STATES[name]
    found = told(replace(FACTS, **fields))
    assert (found.state, found.sentence) == (state, sentence)


@pytest.mark.parametrize("name", STATES)
def test_what_anybody_may_read_has_no_reason_and_nobody_in_it(name: str) -> None:
    found = told(replace(FACTS, **STATES[name][0]))
    assert found.brief.startswith(("can book", "cannot book", "takes no bookings", "was deleted"))
    for word in ("Lee", "lee", "double bookings", "twice", "Vapi", "key", "somebody", ":" + " ", ";"):
        assert word not in found.brief


BRIEF: dict[str, tuple[str, str]] = {
    "can": ("can", "can book since 14:19"),
    "saved again": ("can", "can book"),
    "halted": ("none", "cannot book since 14:19"),
    "just saved": ("waits", "cannot book yet"),
    "no order": ("none", "takes no bookings"),
}


@pytest.mark.parametrize("name", BRIEF)
def test_what_anybody_may_read(name: str) -> None:
    found = told(replace(FACTS, **STATES[name][0]))
    assert (found.state, found.brief) == BRIEF[name]


NEXT: dict[str, tuple[dict[str, Any], str, str]] = {
    "a retry": ({"lacks": (MISSING,), "troubles": TROUBLE}, "We try again at 15:30.", ""),
    "a look": ({"lacks": (FAILED,), "look_at": AT_1530}, "We try again at 15:30.", ""),
    "a retry that is due": ({"lacks": (FAILED,), "look_at": AT_1419}, "We try again now.", ""),
    "somebody has to act": (
        {"lacks": (lack("failed", code="TS-304"),)}, "Choose a model for the assistant and save it.", "clinic",
    ),
    "who could switch it on": (
        {"none_wanted": "TS-501", "off": (off(),)},
        "Switch them on again with `tool-sync tool enable`, if the clinic wants them.", "platform operator",
    ),
    "nothing": ({}, "", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", NEXT)
def test_what_happens_next_and_who_does_it(name: str) -> None:
    fields, next_, who_acts = NEXT[name]
    found = told(replace(FACTS, **fields))
    assert (found.next, found.who_acts) == (next_, who_acts)


def turn(kind: str, hour: int, *tool_ids: str, code: str | None = None) -> AssistantTurn:
    tools = tuple(ToolRef(BOOKING, tool_id, 1, "h") for tool_id in tool_ids)
    return AssistantTurn(NOW.replace(hour=hour), kind, "assistant", tools, code)


def synced(hour: int, tool_id: str = "t1") -> AssistantTurn:
    return turn("AssistantSynced", hour, tool_id)


def test_since_is_the_first_of_those_in_a_row_that_say_the_same() -> None:
    found = told_of([synced(12), synced(11), synced(10), synced(9, "t0")], is_cut=True)
    assert found.since == Since(NOW.replace(hour=10), is_older=False)
    assert found.outcome == synced(12)


def test_since_says_that_it_may_have_been_so_for_longer() -> None:
    assert told_of([synced(12), synced(11)], is_cut=True).since == Since(NOW.replace(hour=11), is_older=True)
    assert told_of([synced(12), synced(11)], is_cut=False).since == Since(NOW.replace(hour=11), is_older=False)


def test_two_failures_of_different_codes_are_not_the_same() -> None:
    failures = [turn("AssistantSyncFailed", 12, code="TS-307"), turn("AssistantSyncFailed", 11, code="TS-301")]
    assert told_of(failures, is_cut=False).since == Since(NOW.replace(hour=12), is_older=False)


def test_what_was_before_a_deletion_is_of_a_life_before() -> None:
    before = [turn("AssistantRemoved", 11), synced(10), turn("SyncRequested", 9)]
    removed = told_of(before, is_cut=False)
    assert (removed.removed_at, removed.saved_at) == (NOW.replace(hour=11), NOW.replace(hour=9))
    anew = told_of([turn("SyncRequested", 12), *before], is_cut=True)
    assert (anew.removed_at, anew.saved_at, anew.outcome) == (None, NOW.replace(hour=12), None)


def test_of_nobody_nothing_is_told() -> None:
    found = told_of([], is_cut=False)
    assert (found.outcome, found.since, found.saved_at, found.removed_at) == (None, None, None, None)

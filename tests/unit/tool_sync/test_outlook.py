"""What is said to happen next: nothing is called as wanted while anything speaks against it."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from tool_sync.queries.next_action import AS_WANTED, BY_SAVE, FINAL, Reason, Work, next_action_of
from tool_sync.vapi.rate_limit import PausedKey

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
REFUSED = PausedKey("key", NOW, LATER, "refused", "TS-202", "payment", "platform operator", "Settle the account.")
LIMITED = PausedKey("key", NOW, LATER, "rate_limited", "TS-103", "rate limit", "nobody", "It is retried.")
QUIET: dict[str, Any] = {
    "reasons": (), "retry_at": None, "is_open": False, "is_unknown": False, "is_final": False,
}  # fmt: skip
WRONG = Reason.of("it failed", "TS-301")


def work(*paused: PausedKey, at_work: bool = False, is_waiting: bool = False) -> Work:
    return Work(at_work, is_waiting, None, NOW, paused)


def test_quiet_and_nothing_against_it_is_as_wanted() -> None:
    assert next_action_of(work(), **QUIET).next == AS_WANTED


AGAINST: list[tuple[Work, dict[str, Any]]] = [
    (work(REFUSED), {}),
    (work(at_work=True), {}),
    (work(is_waiting=True), {}),
    (work(), {"reasons": (WRONG,)}),
    (work(), {"retry_at": LATER}),
    (work(), {"retry_at": NOW - timedelta(seconds=1)}),
    (work(), {"is_open": True}),
    (work(), {"is_unknown": True}),
    (work(), {"is_final": True}),
    (work(), {"delete_at": LATER}),
    (work(), {"none_wanted": "TS-501"}),
    (work(), {"gone": "nothing: the assistant was deleted"}),
]


@pytest.mark.parametrize(("now", "against"), AGAINST)
def test_each_single_thing_speaks_against_it(now: Work, against: dict[str, Any]) -> None:
    assert "as wanted" not in next_action_of(now, **{**QUIET, **against}).next


def test_no_two_of_them_cancel_each_other() -> None:
    for (_, one), (now, other) in product(AGAINST, AGAINST):
        if one or other or now != work():
            assert "as wanted" not in next_action_of(now, **{**QUIET, **one, **other}).next


def test_reasons_are_told_whatever_happens_next() -> None:
    for now, against in AGAINST:
        found = next_action_of(now, **{**QUIET, **against, "reasons": (WRONG,)})
        assert WRONG in found.reasons


def test_a_rate_limit_is_nobodys_to_mend_and_no_reason_by_itself() -> None:
    assert next_action_of(work(LIMITED), **QUIET).next == AS_WANTED
    held = next_action_of(work(LIMITED), **{**QUIET, "reasons": (WRONG,)})
    assert (held.at, [reason.code for reason in held.reasons]) == (LATER, ["TS-103", "TS-301"])


def test_a_refused_key_says_who_acts() -> None:
    found = next_action_of(work(REFUSED), **QUIET)
    (reason,) = found.reasons
    assert (reason.code, reason.who_acts, found.at) == ("TS-202", "platform operator", LATER)


def test_what_nobody_will_do_by_himself_says_so() -> None:
    assert next_action_of(work(), **{**QUIET, "reasons": (WRONG,)}).next == BY_SAVE
    assert next_action_of(work(), **{**QUIET, "reasons": (WRONG,), "is_final": True}).next == FINAL


def test_a_code_of_a_newer_release_is_shown_as_it_is() -> None:
    assert Reason.of("it failed", "TS-777") == Reason("it failed", "TS-777", None, None)

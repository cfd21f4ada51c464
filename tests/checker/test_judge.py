"""The judge calls a good history good, a spoilt one by the promise that it breaks, and an empty campaign void."""

import copy
from collections.abc import Callable

import pytest
from tests.checker.dump import Dump
from tests.checker.judge import judge
from tests.checker.selftest import spoilt_orders
from tests.checker.selftest.corruptions import CORRUPTIONS, not_caught
from tests.checker.wire import message_of

UNJUSTIFIED, NOT_AS_ORDERED = "a write that no order justifies", "a clinic does not have what is ordered"


def test_a_good_history_is_good(good: Dump) -> None:
    verdict = judge(good)

    assert (verdict.violations, verdict.void) == ((), ()), verdict.table()
    assert all(result.judged for result in verdict.results if result.rule != "I15"), "a rule looked at nothing"
    assert verdict.figures["surplus creations"] == 0
    assert verdict.figures["amplification"] >= 1


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_spoilt_history_is_caught(good: Dump, name: str) -> None:
    assert not_caught(good, CORRUPTIONS[name]) is None


@pytest.mark.parametrize(
    ("spoilt", "stories"),
    [
        (spoilt_orders.written_outside_its_window, {UNJUSTIFIED}),
        (spoilt_orders.nothing_came_when_it_opened, {NOT_AS_ORDERED}),
        (spoilt_orders.pinned_and_moved, {UNJUSTIFIED, NOT_AS_ORDERED}),
        (spoilt_orders.pin_ended_and_never_moved, {"a pin has had its time, and nobody has ended it"}),
        (spoilt_orders.pin_ended_early, {"a pin was ended before its time"}),
    ],
)
def test_a_broken_pin_or_window_is_called_by_its_name_and_by_nothing_else(
    good: Dump, spoilt: Callable[[Dump], None], stories: set[str]
) -> None:
    dump = copy.deepcopy(good)
    spoilt(dump)

    assert {one.story for one in judge(dump).violations if one.rule == "I19"} == stories


def test_what_is_spoilt_does_not_hang_on_which_partition_is_read_first(good: Dump) -> None:
    """The clinics' ids are random, and with them the partition of the poison that claims to be a save."""
    dump = copy.deepcopy(good)
    dump.records.sort(key=lambda record: bool(message_of(record).body))

    assert {name: wrong for name, spoilt in CORRUPTIONS.items() if (wrong := not_caught(dump, spoilt))} == {}


def test_judging_changes_nothing(good: Dump) -> None:
    before = copy.deepcopy(good)

    assert judge(good).document() == judge(good).document()
    assert good == before


def test_one_pause_excuses_one_surplus_creation_and_no_second(good: Dump) -> None:
    dump = copy.deepcopy(good)
    CORRUPTIONS["made_twice"].spoil(dump)
    dump.ledger.append({"kind": "fault", "at": 1.0, "class": "stop", "target": "tool-sync", "pause": True})

    assert "I3" not in judge(dump).rules_broken
    CORRUPTIONS["made_twice"].spoil(dump)
    assert "I3" in judge(dump).rules_broken


def test_an_update_that_is_sent_twice_is_excused_by_a_pause_and_by_a_log_that_was_lost(good: Dump) -> None:
    dump = copy.deepcopy(good)
    spoilt_orders.update_sent_twice(dump)
    assert "I19" not in judge(dump).rules_broken
    del dump.tables["lost-1.events"]
    assert "I19" in judge(dump).rules_broken
    dump.ledger.append({"kind": "fault", "at": 1.0, "class": "stop", "target": "tool-sync", "pause": True})
    assert "I19" not in judge(dump).rules_broken


def test_a_planned_class_that_never_fired_makes_the_run_void(good: Dump) -> None:
    dump = copy.deepcopy(good)
    dump.ledger.append({"kind": "plan", "classes": ["kill-broker", "stop"]})
    dump.ledger.append({"kind": "fault", "at": 1.0, "class": "stop", "target": "tool-sync"})

    assert judge(dump).void == ("fault class kill-broker was planned and never fired",)


def test_a_rule_of_the_sandbox_that_met_no_request_makes_the_run_void(good: Dump) -> None:
    dump = copy.deepcopy(good)
    dump.ledger.append({"kind": "fault", "at": 1.0, "class": "http-500", "target": "vapi", "rule": "five hundred"})

    [reason] = judge(dump).void
    assert "'five hundred' met no request" in reason


def test_what_is_open_is_no_violation_while_the_run_goes_on(good: Dump) -> None:
    dump = copy.deepcopy(good)
    CORRUPTIONS["work_left"].spoil(dump)
    dump.settings["at_rest"] = False

    assert judge(dump).violations == ()

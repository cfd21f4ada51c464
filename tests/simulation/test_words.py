"""Clinics' own words in the simulation: what is sent is what they set, where their version leaves it open."""

from itertools import islice

import pytest

from .campaign import singles
from .faults import Plan, Point
from .mutants import MUTANTS
from .word_mutants import WORDS
from .world import run

SCRIPT = Plan(None, "own words")
POINTS_EVERY = 113
CAUGHT_BY = {
    "words go with any version": SCRIPT,
    "a suffix always fits": SCRIPT,
    "other words are no change": SCRIPT,
    "a lost write is judged by the words of now": Plan(None, "own words", lost_answer=11),
    "a lost write is judged by its version alone": Plan(None, "own words", (Point(183),)),
    "words outlive their setting": SCRIPT,
    "off and on forgets the words": SCRIPT,
    "words are told before they are stored": Plan(None, "own words", (Point(144),)),
    "messages of before stay": SCRIPT,
    "what is set again is lost": Plan(None, "own words", (Point(133, 15.0),)),
}


def test_words_follow_their_setting_and_the_version_and_nobody_else_has_them() -> None:
    result = run(SCRIPT)
    assert result.violations == ()
    assert result.reached["announced with own words"] > 10
    assert result.reached["words refused: custom_config.description_suffix"] == 2
    assert result.reached["own words lost"] == 1
    assert result.reached["own words at rest"] == 1


def test_so_it_is_where_workers_and_requests_die_or_sleep_and_answers_are_lost() -> None:
    plans = [
        *islice(singles("own words"), 0, None, POINTS_EVERY),
        *(Plan(None, "own words", lost_answer=n) for n in (9, 17, 26)),
    ]
    assert len(plans) > 25
    assert [(str(plan), found) for plan in plans if (found := run(plan).violations)] == []


@pytest.mark.parametrize("seed", range(8))
def test_so_it_is_with_the_faults_of_a_seed(seed: int) -> None:
    """Nobody saves afterwards, so that a save that nobody could read, as other seeds have one, is never made good."""
    result = run(Plan(seed, "own words", small=True))
    assert result.fired["poison"] == 0
    assert result.violations == ()


def test_a_write_that_did_not_happen_is_judged_by_its_words() -> None:
    result = run(CAUGHT_BY["a lost write is judged by its version alone"])
    assert result.reached["own words judged"] == 1


def test_every_broken_rule_of_own_words_has_a_plan_that_catches_it() -> None:
    assert CAUGHT_BY.keys() == {mutant.__name__.replace("_", " ") for mutant in WORDS}


@pytest.mark.parametrize("name", CAUGHT_BY)
def test_a_broken_rule_of_own_words_is_caught(name: str) -> None:
    with MUTANTS[name]():
        assert run(CAUGHT_BY[name]).violations
    assert CAUGHT_BY[name] == SCRIPT or run(CAUGHT_BY[name]).violations == ()

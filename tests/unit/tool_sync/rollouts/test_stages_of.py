"""Stages as people write them, and what is said where they cannot be used."""

from uuid import UUID

import pytest

from tool_sync.domain.events import RolloutStage
from tool_sync.domain.events.rollout import RINGS
from tool_sync.rollouts.stages import BadStages, careful_stages, default_stages, stages_of

ONE, OTHER = UUID(int=1), UUID(int=2)
ONE_PERCENT, ALL = RolloutStage("1 %", RINGS // 100), RolloutStage("all", RINGS)


def problems(text: str) -> list[str]:
    with pytest.raises(BadStages) as caught:
        stages_of(text)
    return str(caught.value).split("\n")


def test_by_default_own_clinics_come_first_then_one_percent_then_all() -> None:
    assert default_stages(()) == (ONE_PERCENT, ALL)
    assert default_stages((ONE, OTHER)) == (RolloutStage("own", orgs=(str(ONE), str(OTHER))), ONE_PERCENT, ALL)


def test_careful_stages_bake_for_half_an_hour_each_but_the_last() -> None:
    made = careful_stages((ONE,))
    assert [(s.name, s.ring_below, s.bake_seconds, s.gate_calls, s.gate_hours) for s in made] == [
        ("own", 0, 1800, 40, 12),
        ("1 %", 100, 1800, 40, 12),
        ("10 %", 1000, 1800, 40, 12),
        ("all", 10_000, 0, 0, 0),
    ]
    assert made[0].orgs == (str(ONE),)
    assert careful_stages(()) == made[1:]


def test_a_file_says_all_that_a_stage_can_be() -> None:
    text = f"""
    [[stage]]
    name = "our own"
    orgs = ["{str(ONE).upper()}"]
    bake_minutes = 90
    gate_calls = 100
    gate_hours = 24

    [[stage]]
    percent = 0.25
    tiers = ["professional", "enterprise"]

    [[stage]]
    percent = 100
    """
    assert stages_of(text) == (
        RolloutStage("our own", 0, (), (str(ONE),), 5400, 100, 24),
        RolloutStage("stage 2", 25, ("professional", "enterprise")),
        RolloutStage("stage 3", RINGS),
    )


@pytest.mark.parametrize("text", ["", "stage = 1", "stage = []", 'name = "x"', "[[stage]]\npercent = 1\n[other]"])
def test_what_holds_no_stages_is_told_the_form(text: str) -> None:
    assert problems(text) == ["write one table [[stage]] for each stage, and nothing beside them"]


def test_what_is_no_toml_is_told_where() -> None:
    (said,) = problems("[[stage]\npercent = 1")
    assert said.startswith("it cannot be read: ")
    assert "line 1" in said


def test_more_stages_than_there_may_be_are_refused() -> None:
    assert problems("[[stage]]\npercent = 1\n" * 21) == ["there are 21 stages; write at most 20"]
    assert len(stages_of("[[stage]]\npercent = 1\n" * 20)) == 20


PERCENT = "stage 1: percent is a number from 0 to 100, in steps of 0.01"
NAME = "stage 1: name is a line of 1 to 40 characters"
CALLS = "stage 1: gate_calls is a whole number, 10,000 at most"
MINUTES = "stage 1: bake_minutes is a whole number, two weeks at most"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("percent = 101", PERCENT),
        ("percent = -1", PERCENT),
        ("percent = nan", PERCENT),
        ("percent = true", PERCENT),
        ('percent = "10"', PERCENT),
        ("percent = 1\nbake_minutes = -1", MINUTES),
        ("percent = 1\nbake_minutes = 20161", MINUTES),
        ("percent = 1\nbake_minutes = 1.5", MINUTES),
        ("percent = 1\nbake_minutes = true", MINUTES),
        ("percent = 1\ngate_calls = -1", CALLS),
        ("percent = 1\ngate_calls = 10001", CALLS),
        ("percent = 1\ngate_calls = true", CALLS),
        ("percent = 1\ngate_calls = 1\ngate_hours = 481", "stage 1: gate_hours is a whole number, 480 at most"),
        ("percent = 1\ngate_hours = 12", "stage 1: gate_hours needs gate_calls, which it is the time for"),
        ("percnt = 1", "stage 1: percnt is no key; did you mean percent?"),
        ("percent = 1\nzzz = 1", "stage 1: zzz is no key"),
        ('percent = 1\ntiers = ["pro"]', "stage 1: pro is no tier; the tiers are basic, professional, enterprise"),
        ("percent = 1\nname = 1", NAME),
        ('percent = 1\nname = " "', NAME),
        ('percent = 1\nname = "a\\nb"', NAME),
        (f'percent = 1\nname = "{"n" * 41}"', NAME),
        ('percent = 1\ntiers = "basic"', "stage 1: tiers is a list of texts"),
        ("percent = 1\norgs = [1]", "stage 1: orgs is a list of texts"),
        ('percent = 1\norgs = ["clinic"]', "stage 1: 'clinic' is no organization's id"),
        ("", "stage 1 holds nobody: write percent or orgs"),
        ("percent = 0", "stage 1 holds nobody: write percent or orgs"),
        ("percent = 0.001", "stage 1 holds nobody: write percent or orgs"),
        ('tiers = ["basic"]', "stage 1 holds nobody: write percent or orgs"),
    ],
)
def test_a_stage_that_cannot_be_used_is_told_why(lines: str, said: str) -> None:
    assert said in problems(f"[[stage]]\n{lines}")


def test_all_that_is_wrong_is_told_at_once_with_the_stage_s_number() -> None:
    text = '[[stage]]\npercent = 200\n[[stage]]\nnmae = "x"\npercent = 1\n[[stage]]\norgs = ["x"]'
    assert problems(text) == [
        PERCENT,
        "stage 2: nmae is no key; did you mean name?",
        "stage 3: 'x' is no organization's id",
    ]


def test_all_stages_together_name_no_more_clinics_than_an_event_can_hold() -> None:
    def stage(first: int, count: int) -> str:
        return f"[[stage]]\norgs = {[str(UUID(int=first + n)) for n in range(count)]}\n"

    assert len(stages_of(stage(0, 500) + stage(500, 500))) == 2
    assert problems(stage(0, 500) + stage(500, 501)) == [
        "the stages name 1,001 clinics; name at most 1,000, or percentages"
    ]


def test_stages_that_are_no_tables_are_told() -> None:
    assert problems("stage = [1]") == ["stage 1 holds nobody: write percent or orgs"]

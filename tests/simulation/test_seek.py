"""The command that seeks a plan for a mutant."""

import pytest

from . import seek
from .world import run


def test_a_plan_that_catches_a_mutant_is_found_and_the_protocol_survives_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["seek", "forgets lost answers", "--script", "first save"])
    assert seek.main() == 0
    found = capsys.readouterr().out
    assert found.startswith("forgets lost answers: Plan(seed=None, script='first save'")
    [plan] = [plan for plan in seek.plans("first save", hours=False, first=1, tries=2_000) if f" {plan!r}:" in found]
    assert run(plan).violations == ()


def test_a_mutant_that_no_plan_catches_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["seek", "older order wins", "--tries", "1"])
    assert seek.main() == 1
    assert capsys.readouterr().err == "not caught: older order wins\n"

"""What the simulation judges plans and the end of a run by can fail: a wrong plan, a wrong order, a tool that stays."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from uuid import UUID

import pytest

from tool_sync.domain import plan as planning
from tool_sync.domain import settling
from tool_sync.domain.events import ToolDeleteStarted, ToolRegistrationStarted, ToolRetired
from tool_sync.domain.plan.situation import RunProgress, Situation
from tool_sync.domain.plan.steps import NOTHING, DeletionCandidate, Plan, RegisterTool, ResolveAttempt, Step, SweepTools
from tool_sync.domain.toolset import Attempt, Toolset
from tool_sync.domain.wanted import Wanted, WantedTool

from .checks import Checks
from .faults import Plan as Story
from .planning import broken
from .world import POLICY, run

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
ORG, ATTEMPT = UUID(int=1), UUID(int=2)
REGISTER = RegisterTool(WantedTool("book", 1, "hash"))
UPDATE_OF_ANOTHER = RegisterTool(WantedTool("cancel", 1, "hash"))
STARTED = ToolRegistrationStarted(ATTEMPT, "platform", "book", 1, "hash")
RETIRED = ToolRetired("platform", "book", "t-1", 1, "hash", "setting", NOW)
OPEN = Toolset(attempts={ATTEMPT: Attempt(NOW, STARTED)})
SWEEP = SweepTools((DeletionCandidate("book", "t-1", None),))


@pytest.mark.parametrize(
    ("state", "busy", "steps", "next_due", "said"),
    [
        (Toolset(), (), (REGISTER, REGISTER), None, "two steps of one subject"),
        (OPEN, (), (REGISTER,), None, "the answer to its last write is not known"),
        (Toolset(), ("tool:book",), (REGISTER,), None, "is at work already"),
        (OPEN, (), (SWEEP,), None, "a sweep beside other work"),
        (Toolset(), (), (SWEEP, REGISTER, UPDATE_OF_ANOTHER), None, "a sweep beside other work"),
        (Toolset(), (), (), NOW, "which is past"),
    ],
)
def test_a_wrong_plan_is_seen(
    state: Toolset, busy: tuple[str, ...], steps: tuple[Step, ...], next_due: datetime | None, said: str
) -> None:
    situation = Situation(state, {}, Wanted(()), NOW, POLICY, RunProgress(busy=frozenset(busy)), "platform")
    (what,) = broken(situation, Plan(steps, next_due=next_due))
    assert said in what


def test_a_right_one_is_right() -> None:
    situation = Situation(OPEN, {}, Wanted(()), NOW, POLICY, RunProgress(), "platform")
    (attempt,) = OPEN.attempts.values()
    assert list(broken(situation, Plan((ResolveAttempt(attempt), UPDATE_OF_ANOTHER)))) == []
    assert list(broken(situation, Plan(next_due=NOW + timedelta(seconds=1)))) == []


def test_a_tool_that_is_wanted_again_within_the_grace_is_not_made_anew() -> None:
    checks = Checks()
    checks.holds(0.0, ORG, RETIRED)
    checks.holds(1.0, ORG, STARTED)
    assert ["and another one is made" in what for what in checks.violations] == [True]


def test_once_its_deletion_has_begun_it_may_be() -> None:
    checks = Checks()
    for event in (RETIRED, ToolDeleteStarted(ATTEMPT, "platform", "book", "t-1", NOW), STARTED):
        checks.holds(0.0, ORG, event)
    assert checks.violations == []


def test_outcomes_in_another_order_than_the_saves_are_seen() -> None:
    named = settling._named
    with patch.object(settling, "_named", lambda requests: named(requests)[::-1]):
        said = [what for seed in range(20) for what in run(Story(seed)).violations]
    assert any("got the outcome of" in what for what in said)


def test_a_tool_that_nobody_deletes_is_seen() -> None:
    with patch.object(planning, "deletions", lambda _situation: NOTHING):
        what = run(RETIRING).violations
    assert any("still has to delete" in it for it in what)
    assert any("waits, and nobody will look" in it for it in what)
    assert run(RETIRING).violations == ()


RETIRING = Story(19)
"""A seed in which a tool is not wanted any more."""


def test_a_change_of_the_tier_is_not_forgotten_whatever_happens_meanwhile() -> None:
    """Nobody saves afterwards. A save that cannot be read is of an assistant of which nothing else is heard."""
    results = [run(Story(seed, "a day", small=True)) for seed in range(60)]
    readable = [result for result in results if not result.fired["poison"]]
    assert len(readable) > 40
    assert [(str(result.plan), result.violations) for result in readable if result.violations] == []

"""What a rollout's state says: whose word it was where a person said so, and nothing where the gate opened."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tool_sync.domain.events import (
    FleetEvent,
    RolloutAborted,
    RolloutCompleted,
    RolloutExpired,
    RolloutPaused,
    RolloutResumed,
    RolloutRolledBack,
    RolloutStageOpened,
)
from tool_sync.domain.fleet.rollout import Refused, end_second, second_orders
from tool_sync.rollouts.status import RolloutStatus, state_text

from ..domain.fleets import EVERYBODY, and_then, fleet_of, published, started

AT = datetime(2026, 11, 30, tzinfo=UTC)
ABOUT = ("r", "book")
RUNNING = fleet_of(published(), started("r", stages=(EVERYBODY, EVERYBODY)))


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ((), "running"),
        ((RolloutStageOpened(*ABOUT, 1, "gate"),), "running"),
        ((RolloutStageOpened(*ABOUT, 1, "promoted", "it works"),), 'running, a stage promoted by lee: "it works"'),
        ((RolloutPaused(*ABOUT, "look"),), 'paused, by lee: "look"'),
        ((RolloutPaused(*ABOUT, "look"), RolloutResumed(*ABOUT, "fine")), 'running, resumed by lee: "fine"'),
        ((RolloutCompleted(*ABOUT, "gate"),), "completed"),
        ((RolloutCompleted(*ABOUT, "seeded"),), "completed"),
        ((RolloutCompleted(*ABOUT, "promoted", "it works"),), 'completed, promoted by lee: "it works"'),
        ((RolloutAborted(*ABOUT, "bad"),), 'aborted, by lee: "bad"'),
        ((RolloutExpired(*ABOUT),), "expired"),
        ((RolloutCompleted(*ABOUT, "gate"), RolloutRolledBack(*ABOUT, "bad")), 'rolled back, by lee: "bad"'),
    ],
)
def test_a_state_is_said_with_whose_word_it_was(events: tuple[FleetEvent, ...], said: str) -> None:
    order = and_then(RUNNING, *events, actor="lee").order("r")
    assert order is not None
    one = RolloutStatus("r", "book", 1, order.state, 1, 2, "all", AT, 0, 0, None, "tried", last_word=order.last_word)
    assert state_text(one) == said


def test_of_two_orders_that_started_in_the_same_moment_the_first_one_stands() -> None:
    both = and_then(RUNNING, started("second"), started("third"))
    assert [order.rollout_id for order in second_orders(both, "book")] == ["second", "third"]
    ended = end_second(both, "third")
    assert ended == RolloutAborted("third", "book", "rollout r was started in the same moment", fleet_sequence=1)
    assert [order.rollout_id for order in second_orders(and_then(both, ended), "book")] == ["second"]
    assert end_second(both, "r") == Refused("rollout r is the only one of its tool")
    over = and_then(both, RolloutCompleted(*ABOUT, "gate"), replace(ended, rollout_id="second"))
    assert end_second(over, "third") == Refused("rollout third is the only one of its tool")

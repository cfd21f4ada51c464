"""The gate: where it fires, and what a caller and the world see of it."""

import pytest
from tests.faults.gate import Gate, Point
from tests.faults.replace import replace


class Lost(Exception):
    """What a cut call raises here."""


class World:
    """Counts what took place."""

    def __init__(self) -> None:
        self.done = 0

    async def call(self) -> int:
        self.done += 1
        return self.done


async def lost(_: object) -> BaseException:
    return Lost()


async def test_a_cut_before_the_call_leaves_it_undone() -> None:
    world, gate = World(), Gate(None, Point("append", "before", "CUT"))
    with pytest.raises(Lost):
        await gate.around(("append",), world.call, lost=lost)
    assert world.done == 0


async def test_a_cut_after_the_call_hides_that_it_was_done() -> None:
    world, gate = World(), Gate(None, Point("append", "after", "CUT"))
    with pytest.raises(Lost):
        await gate.around(("append",), world.call, lost=lost)
    assert world.done == 1


async def test_it_fires_at_the_nth_call_of_its_port_and_only_once() -> None:
    world, gate = World(), Gate(None, Point("append", "after", "CUT", nth=2))
    assert await gate.around(("append",), world.call, lost=lost) == 1
    assert await gate.around(("load",), world.call, lost=lost) == 2
    with pytest.raises(Lost):
        await gate.around(("load", "append"), world.call, lost=lost)
    assert await gate.around(("append",), world.call, lost=lost) == 4


async def test_an_answer_that_does_not_count_is_passed_by() -> None:
    world, gate = World(), Gate(None, Point("claim", "after", "CUT"))
    assert await gate.around(("claim",), world.call, lost=lost, counts=lambda answer: answer > 1) == 1
    with pytest.raises(Lost):
        await gate.around(("claim",), world.call, lost=lost, counts=lambda answer: answer > 1)


async def test_it_counts_every_port_that_was_passed() -> None:
    world, gate = World(), Gate(None)
    for _ in range(2):
        await gate.around(("append", "append ToolRegistered"), world.call, lost=lost)
    assert gate.passed["append before"] == gate.passed["append ToolRegistered after"] == 2


def test_a_port_that_the_product_has_moved_is_an_error() -> None:
    with pytest.raises(AttributeError):
        replace(World, "gone", lambda call: call)

"""How soon the feeder looks again who of the fed is done."""

from uuid import uuid4

from tool_sync.rollouts.walk import ClinicWalk


def test_the_feeder_looks_again_when_half_of_the_fed_will_be_done_at_the_pace_so_far() -> None:
    walk = ClinicWalk(position=1)
    assert walk.half_done_in(100.0, 0) == 0.0  # nothing is known yet: as soon as may be
    walk.fed = {uuid4(): 100.0 for _ in range(400)}
    assert walk.half_done_in(101.0, 100) == 2.0
    assert walk.half_done_in(102.0, 0) == float("inf")
    assert walk.half_done_in(102.5, 50) == 2.0

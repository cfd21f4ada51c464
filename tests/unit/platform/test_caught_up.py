"""How far a group is behind: by looks at its places, whoever of its members reads what."""

from math import inf

from zerotouch_platform.kafka.caught_up import LOOKS_MAX, CaughtUp
from zerotouch_platform.kafka.places import Place


class Looking:
    """Looks at a topic of one or more partitions, each as (end, committed), at times that the test decides."""

    def __init__(self) -> None:
        self.now = 0.0
        self.caught_up = CaughtUp(lambda: self.now)

    def look(self, at: float, *places: tuple[int, int | None]) -> float:
        self.now = at
        began_at = self.caught_up.now()
        self.caught_up.look(began_at, {n: Place(0, end, committed) for n, (end, committed) in enumerate(places)})
        return self.caught_up.behind_seconds()


def test_before_the_first_look_nobody_knows() -> None:
    assert CaughtUp().behind_seconds() == inf


def test_a_group_at_the_end_of_every_partition_is_not_behind() -> None:
    looking = Looking()
    assert looking.look(10.0, (5, 5), (0, None)) == 0.0
    looking.now = 17.0
    assert looking.caught_up.behind_seconds() == 7.0


def test_one_partition_that_is_not_read_is_enough_to_be_behind() -> None:
    looking = Looking()
    assert looking.look(10.0, (5, 5), (5, 4)) == inf
    assert looking.look(20.0, (5, 5), (5, None)) == inf


def test_a_topic_that_grows_all_the_time_is_read_up_to_an_earlier_look() -> None:
    looking = Looking()
    assert looking.look(10.0, (5, 3)) == inf
    assert looking.look(20.0, (9, 6)) == 10.0
    assert looking.look(30.0, (12, 6)) == 20.0
    assert looking.look(40.0, (14, 12)) == 10.0


def test_looks_that_take_long_count_from_their_beginning() -> None:
    looking = Looking()
    looking.now = 60.0
    looking.caught_up.look(10.0, {0: Place(0, 5, 5)})
    assert looking.caught_up.behind_seconds() == 50.0


def test_a_group_beyond_the_end_is_lost_and_not_ahead() -> None:
    looking = Looking()
    assert looking.look(10.0, (2, 7)) == inf


def test_a_topic_that_was_made_again_is_caught_up_with_once_the_older_looks_are_forgotten() -> None:
    looking = Looking()
    looking.look(0.0, (5_000, 4_000))
    for number in range(LOOKS_MAX):
        looking.look(10.0 * (number + 1), (10, 10))
    assert looking.caught_up.behind_seconds() == 0.0

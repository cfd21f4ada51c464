"""What a group has missed on a topic, from two looks at it."""

from zerotouch_platform.kafka.jumps import Jumps
from zerotouch_platform.kafka.losses import Cause, Jump, Loss, Seen, losses, seen_now
from zerotouch_platform.kafka.places import Place


class Record:
    def __init__(self, partition: int, offset: int) -> None:
        self.partition, self.offset = partition, offset


def test_a_group_that_is_not_behind_what_is_gone_has_lost_nothing() -> None:
    assert losses({0: Seen(5, 9)}, {0: Place(5, 12, 7)}) == ()
    assert losses({0: Seen(5, 9)}, {0: Place(7, 12, 7)}) == ()
    assert losses({}, {0: Place(7, 12, None)}) == (), "a new group begins where the topic does"
    assert losses({0: Seen(7, 12)}, {0: Place(7, 12, None)}) == ()


def test_what_was_deleted_before_the_group_read_it_is_lost_also_at_the_first_look() -> None:
    expected = (Loss(0, 5, 9, Cause.DELETED),)
    assert losses({0: Seen(5, 12)}, {0: Place(9, 12, 5)}) == expected
    assert losses({}, {0: Place(9, 12, 5)}) == expected
    assert losses({0: Seen(5, 12)}, {0: Place(9, 12, None)}) == expected, "it had not committed anything yet"


def test_nothing_is_told_twice_and_a_loss_that_grows_is_told_by_the_rest() -> None:
    before = {0: Seen(5, 12)}
    first = {0: Place(9, 12, 5)}
    after = seen_now(before, first)
    assert losses(after, first) == ()
    assert losses(after, {0: Place(11, 12, 5)}) == (Loss(0, 9, 11, Cause.DELETED),)


def test_a_topic_that_was_made_again_is_seen_by_its_end_or_by_the_offsets_that_went_with_it() -> None:
    assert losses({0: Seen(5, 9)}, {0: Place(0, 2, None)}) == (Loss(0, 5, 9, Cause.MADE_AGAIN),)
    assert losses({0: Seen(5, 9)}, {0: Place(0, 2, 5)}) == (Loss(0, 5, 9, Cause.MADE_AGAIN),)
    assert losses({0: Seen(5, 9)}, {0: Place(0, 20, None)}) == (Loss(0, 5, 9, Cause.MADE_AGAIN),), "it has outgrown it"
    assert losses({}, {0: Place(0, 2, 5)}) == (Loss(0, 2, 5, Cause.MADE_AGAIN),)
    after = seen_now({0: Seen(5, 9)}, {0: Place(0, 2, None)})
    assert losses(after, {0: Place(0, 3, None)}) == ()


def test_a_group_with_another_name_has_not_forgotten_what_the_one_before_it_read() -> None:
    before, now = {0: Seen(5, 9, by_another_group=True)}, {0: Place(0, 12, None)}
    assert losses(before, now) == ()
    assert losses(seen_now(before, now), now) == (), "it has not committed anything yet"
    assert losses(before, {0: Place(7, 12, None)}) == (Loss(0, 5, 7, Cause.DELETED),), "neither of them has read it"
    assert losses(before, {0: Place(0, 2, None)}) == (Loss(0, 5, 9, Cause.MADE_AGAIN),)
    assert losses({0: Seen(5, 9)}, {0: Place(0, 12, 0)}) == (), "the same group, set back to the beginning by hand"


def test_partitions_that_were_added_are_told_once() -> None:
    now = {0: Place(0, 9, 9), 1: Place(0, 4, None)}
    assert losses({0: Seen(9, 9)}, now) == (Loss(1, 0, 4, Cause.ADDED),)
    assert losses(seen_now({0: Seen(9, 9)}, now), now) == ()


def test_a_jump_is_a_loss_as_far_as_the_topic_lacks_it() -> None:
    seen = {0: Seen(5, 12)}
    jumps = [Jump(0, 6, 9), Jump(1, 0, 9)]
    assert losses(seen, {0: Place(9, 12, 12)}, jumps) == (Loss(0, 6, 9, Cause.DELETED),)
    assert losses(seen, {0: Place(8, 12, 12)}, jumps) == (Loss(0, 6, 8, Cause.DELETED),)
    assert losses(seen, {0: Place(0, 12, 12)}, jumps) == (), "another replica has read it"
    assert losses({0: Seen(9, 12)}, {0: Place(9, 12, 12)}, jumps) == (), "and committed it before it was deleted"


def test_a_consumer_jumps_where_the_next_offset_is_missing_in_its_partition() -> None:
    jumps = Jumps()
    jumps.read([Record(0, 3), Record(0, 4), Record(1, 7)])
    jumps.read([Record(0, 9), Record(1, 8), Record(0, 2), Record(0, 3)])
    assert jumps.take() == (Jump(0, 5, 9),)
    assert jumps.take() == ()

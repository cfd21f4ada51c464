"""The subscriber kit's rule: each outcome once, in order, and nothing missed."""

from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_contracts.subscriber import (
    Delivered,
    FeedUnavailable,
    HistoryRewritten,
    HoleUnfilled,
    Incoming,
    Last,
    LogChanged,
    Marks,
    PassedOver,
    Sequencer,
    UnknownNotice,
    decode,
    follow,
)
from zerotouch_contracts.subscriber.delivery import from_feed
from zerotouch_contracts.subscriber.unknown import TYPES_MAX
from zerotouch_contracts.testing import MemoryFeed, OutcomeSamples, record_of
from zerotouch_contracts.testing.samples import NEWER_TYPE, as_newer, from_topic, newer_record_of


def kit(samples: OutcomeSamples, marks: Marks | None = None) -> tuple[Sequencer, MemoryFeed]:
    feed = MemoryFeed(samples.log_id, samples.made)
    return Sequencer(marks or Marks(), feed), feed


async def test_repeats_are_left_out() -> None:
    samples = OutcomeSamples()
    made = [samples.synced(), samples.synced(), samples.failed()]
    sequencer, feed = kit(samples)
    assert await sequencer.admit([*made, made[0], made[2], made[1]]) == made
    assert feed.asked == 0


async def test_a_hole_is_filled_from_the_feed_in_order() -> None:
    samples = OutcomeSamples()
    made = [samples.synced(agent=f"a{n}") for n in range(5)]
    samples.synced(org="another clinic")
    sequencer, _ = kit(samples)
    assert await sequencer.admit([made[0], from_topic(made[4])]) == made
    assert sequencer.holes == 1


async def test_a_hole_that_nobody_can_fill_stops() -> None:
    samples, empty = OutcomeSamples(), OutcomeSamples()
    samples.synced()
    second = samples.synced()
    sequencer, _ = kit(empty)
    with pytest.raises(HoleUnfilled, match="messages 1 to 2 are neither on the topic nor in the feed"):
        await sequencer.admit([second])


async def test_the_same_number_with_another_id_means_that_history_was_rewritten() -> None:
    samples = OutcomeSamples()
    first = samples.synced()
    sequencer, _ = kit(samples)
    await sequencer.admit([first])
    with pytest.raises(HistoryRewritten, match="history was rewritten"):
        await sequencer.admit([replace(first, id=str(uuid4()))])


async def test_another_log_stops() -> None:
    first, other = OutcomeSamples().synced(), OutcomeSamples("restored").synced()
    sequencer, _ = kit(OutcomeSamples())
    await sequencer.admit([first])
    with pytest.raises(LogChanged, match="rebuild from the feed"):
        await sequencer.admit([other])


async def test_after_a_snapshot_the_first_message_is_found_in_the_feed() -> None:
    samples = OutcomeSamples()
    for _ in range(3):
        samples.synced()
    fourth, fifth = samples.synced(), samples.synced()
    sequencer, _ = kit(samples, Marks(samples.log_id, position=3))
    assert await sequencer.admit([from_topic(fifth)]) == [fourth, fifth]


async def test_after_a_snapshot_an_older_record_of_the_topic_is_a_repeat() -> None:
    samples = OutcomeSamples()
    made = [samples.synced() for _ in range(4)]
    sequencer, _ = kit(samples, Marks(samples.log_id, position=3))
    assert await sequencer.admit([from_topic(made[1]), from_topic(made[3])]) == [from_topic(made[3])]


async def test_after_a_snapshot_a_record_that_it_holds_already_is_a_repeat() -> None:
    samples = OutcomeSamples()
    made = [samples.synced() for _ in range(3)]
    sequencer, _ = kit(samples, Marks(samples.log_id, position=3))
    assert await sequencer.admit([from_topic(made[1])]) == []
    fourth = samples.synced()
    assert await sequencer.admit([from_topic(made[2]), from_topic(fourth)]) == [from_topic(fourth)]


@given(st.lists(st.integers(0, 11), max_size=40), st.lists(st.booleans(), min_size=12, max_size=12))
async def test_whatever_the_topic_repeats_drops_and_swaps_all_is_applied_once_and_in_order(
    order: list[int], of_first: list[bool]
) -> None:
    samples = OutcomeSamples()
    made = [samples.synced(org="a" if first else "b") for first in of_first]
    sequencer, _ = kit(samples)
    admitted: list[Delivered] = []
    for index in [*order, *range(12)]:
        admitted += await sequencer.admit([from_topic(made[index])])
    for org in ("a", "b"):
        sequences = [d.sequence for d in admitted if d.org_id == samples.org(org)]
        assert sequences == list(range(1, len(sequences) + 1))
    assert {d.id for d in admitted} == {d.id for d in made}


def in_order(deliveries: list[Delivered]) -> list[Delivered]:
    """What is not left out, by the log that is followed."""
    followed, kept = None, []
    for delivered in deliveries:
        if (follows := follow(followed, delivered)) is not None:
            followed = follows
            kept.append(delivered)
    return kept


def later(delivered: Delivered, minutes: int) -> Delivered:
    return replace(delivered, time=delivered.time + timedelta(minutes=minutes))


def test_another_log_that_goes_on_later_is_followed_and_the_old_one_never_again() -> None:
    before, after = OutcomeSamples(), OutcomeSamples("restored")
    old = [before.synced() for _ in range(3)]
    new = [later(after.synced(), 60) for _ in range(2)]
    late = [later(one, 120) for one in old]
    assert in_order([*old, *new, *late, new[0]]) == [*old, *new, new[0]]


def test_a_log_that_is_heard_of_late_and_is_older_is_not_followed() -> None:
    old, new = OutcomeSamples().synced(), later(OutcomeSamples("restored").synced(), 60)
    assert in_order([new, old, new]) == [new, new]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50)), max_size=30))
def test_the_log_that_is_followed_only_ever_changes_to_one_that_was_not(order: list[tuple[int, int]]) -> None:
    samples = [OutcomeSamples(f"log {number}").synced() for number in range(3)]
    kept = in_order([later(samples[log], minutes) for log, minutes in order])
    changes = [log_id for log_id, _ in groupby(delivered.log_id for delivered in kept)]
    assert len(changes) == len(set(changes))


def test_a_record_of_ours_is_decoded() -> None:
    delivered = OutcomeSamples().failed()
    record = record_of(delivered)
    assert decode(record.key, record.value, record.headers) == from_topic(delivered)


def test_a_newer_type_of_ours_is_decoded_as_far_as_its_place() -> None:
    delivered = OutcomeSamples().synced()
    record = newer_record_of(delivered)
    assert decode(record.key, record.value, record.headers) == as_newer(delivered)
    unnumbered = [(name, raw) for name, raw in record.headers if name not in {"ce_sequence", "ce_orgid", "log_id"}]
    assert decode(b"rollout-7", record.value, unnumbered) == UnknownNotice(NEWER_TYPE)


@pytest.mark.parametrize(
    ("header", "raw"),
    [
        ("ce_sequence", b"1"),
        ("ce_sequence", b"0" * 20),
        ("ce_sequence", b"9" * 20),
        ("ce_sequence", None),
        ("ce_orgid", str(uuid4()).encode()),
        ("ce_orgid", None),
        ("log_id", b"x"),
        ("ce_source", b"/somebody/else"),
    ],
)
def test_a_newer_type_whose_place_cannot_be_read_takes_none(header: str, raw: bytes | None) -> None:
    record = newer_record_of(OutcomeSamples().synced())
    headers = [(name, raw if name == header else had) for name, had in record.headers]
    with pytest.raises(UndecodableRecord):
        decode(record.key, record.value, headers)


def test_what_is_no_message_of_ours_may_be_passed_over() -> None:
    with pytest.raises(UndecodableRecord):
        decode(b"\xff", b"{", [("x", None)])


async def test_a_newer_type_is_passed_over_and_its_number_counts() -> None:
    samples, passed_over = OutcomeSamples(), PassedOver()
    first, newer, third = samples.synced(), samples.synced(), samples.synced()
    feed = MemoryFeed(samples.log_id, samples.made)
    sequencer = Sequencer(Marks(), feed, passed_over)
    came: list[Incoming] = [first, as_newer(newer), as_newer(newer), UnknownNotice("zerotouch.Other.v1"), third]
    assert await sequencer.admit(came) == [first, third]
    assert (feed.asked, sequencer.holes) == (0, 0)
    assert passed_over.counts == {NEWER_TYPE: 1, "zerotouch.Other.v1": 1}


async def test_the_marks_move_where_all_that_came_was_passed_over() -> None:
    samples = OutcomeSamples()
    first, second = samples.synced(), samples.synced()
    sequencer, feed = kit(samples)
    await sequencer.admit([first])
    assert sequencer.marks().last == {first.org_id: Last(1, first.id)}
    assert await sequencer.admit([as_newer(second)]) == []
    assert sequencer.marks().last == {second.org_id: Last(2, second.id)}
    assert sequencer.marks().last == {}
    assert feed.asked == 0


@pytest.mark.parametrize("last_is_newer", [True, False])
async def test_a_hole_is_filled_where_a_newer_type_stands_in_it_or_shows_it(last_is_newer: bool) -> None:
    samples = OutcomeSamples()
    made = [samples.synced() for _ in range(4)]
    newer = {made[1].id, *([made[3].id] if last_is_newer else [])}
    sequencer = Sequencer(Marks(), MemoryFeed(samples.log_id, samples.made, newer=newer))
    came = [made[0], as_newer(made[3]) if last_is_newer else from_topic(made[3])]
    assert await sequencer.admit(came) == [one for one in made if one.id not in newer]
    assert sequencer.holes == 1


async def test_a_newer_type_in_the_place_of_another_message_means_that_history_was_rewritten() -> None:
    samples = OutcomeSamples()
    first = samples.synced()
    sequencer, _ = kit(samples)
    await sequencer.admit([first])
    with pytest.raises(HistoryRewritten):
        await sequencer.admit([replace(as_newer(first), id=str(uuid4()))])


def test_each_newer_type_is_logged_once_and_counted_each_time(caplog: pytest.LogCaptureFixture) -> None:
    passed_over = PassedOver()
    for number in range(3 * TYPES_MAX):
        passed_over.note(UnknownNotice(f"zerotouch.Type{number % (TYPES_MAX + 20)}.v1"))
    assert sum(passed_over.counts.values()) == 3 * TYPES_MAX
    assert len(passed_over.counts) == TYPES_MAX + 1
    assert len(caplog.records) == TYPES_MAX + 1


def item_of_the_feed(delivered: Delivered, **changed: object) -> dict[str, object]:
    return {
        "type": NEWER_TYPE,
        "id": delivered.id,
        "position": delivered.position,
        "orgid": str(delivered.org_id),
        "sequence": f"{delivered.sequence:020d}",
        "time": "2026-01-01T00:00:00Z",
        "data": {},
    } | changed


def test_the_feed_shows_a_newer_type_as_the_topic_does() -> None:
    delivered = OutcomeSamples().synced()
    assert from_feed(item_of_the_feed(delivered), delivered.log_id) == as_newer(delivered)
    assert from_feed({"type": NEWER_TYPE, "position": 1}, delivered.log_id) == UnknownNotice(NEWER_TYPE)
    with pytest.raises(FeedUnavailable):
        from_feed(item_of_the_feed(delivered, sequence="x"), delivered.log_id)

"""The kit on the fleet's topic: the rules of the outcomes, with a rollout as a key of its own."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from zerotouch_contracts.envelope import UndecodableRecord
from zerotouch_contracts.fleet import FLEET_MESSAGES, RolloutStarted, ToolUpdated, rollout_key
from zerotouch_contracts.subscriber import (
    FeedUnavailable,
    FleetDelivered,
    FleetSequencer,
    HistoryRewritten,
    HoleUnfilled,
    Last,
    Marks,
    UnknownOutcome,
    decode,
    decode_fleet,
)
from zerotouch_contracts.subscriber.delivery import from_fleet_feed
from zerotouch_contracts.testing import FleetMemoryFeed, FleetSamples, OutcomeSamples, record_of
from zerotouch_contracts.testing.fixtures import fleet_feed as fleet_feed
from zerotouch_contracts.testing.fixtures import fleet_samples as fleet_samples
from zerotouch_contracts.testing.samples import NEWER_TYPE, from_topic, newer_record_of


def made_by(samples: FleetSamples) -> list[FleetDelivered]:
    """A rollout that changes two clinics, and what else becomes of their tools."""
    samples.rollout_started()
    samples.announced("a")
    samples.updated("a")
    samples.announced("b")
    samples.updated("b")
    samples.rollout_ended()
    samples.retired("a")
    samples.rollout_ended(how="rolled_back")
    return samples.made


def test_the_samples_are_of_every_type_of_the_topic(fleet_samples: FleetSamples) -> None:
    assert {type(one.message) for one in made_by(fleet_samples)} == set(FLEET_MESSAGES)


def test_a_record_is_decoded_as_it_was_made(fleet_samples: FleetSamples) -> None:
    for one in made_by(fleet_samples):
        record = record_of(one)
        assert record.topic == "tool-sync.fleet.v1"
        assert decode_fleet(record.key, record.value, record.headers) == from_topic(one)


async def test_each_clinic_and_each_rollout_is_numbered_by_itself(
    fleet_samples: FleetSamples, fleet_feed: FleetMemoryFeed
) -> None:
    made = made_by(fleet_samples)
    sequencer = FleetSequencer(Marks(), fleet_feed)
    assert await sequencer.admit([*made, *reversed(made)]) == made
    assert sequencer.marks().last == {
        fleet_samples.org("a"): Last(3, made[6].id),
        fleet_samples.org("b"): Last(2, made[4].id),
        rollout_key("3f9c1a2b"): Last(3, made[7].id),
    }
    assert fleet_feed.asked == 0


@pytest.mark.parametrize("lost", range(8))
async def test_whatever_is_lost_on_the_way_comes_from_the_feed_once_the_next_of_its_key_comes(
    fleet_samples: FleetSamples, fleet_feed: FleetMemoryFeed, lost: int
) -> None:
    made = made_by(fleet_samples)
    is_last_of_key = not any(one.key == made[lost].key for one in made[lost + 1 :])
    sequencer = FleetSequencer(Marks(), fleet_feed)
    admitted = await sequencer.admit([from_topic(one) for one in made if one is not made[lost]])
    of_key = [one.sequence for one in admitted if one.key == made[lost].key]
    assert of_key == list(range(1, len(of_key) + 1))
    assert sequencer.holes == (0 if is_last_of_key else 1)
    assert len(admitted) == len(made) - is_last_of_key


async def test_a_hole_of_a_rollout_that_the_feed_does_not_have_stops() -> None:
    samples = FleetSamples()
    samples.rollout_started()
    ended = samples.rollout_ended()
    with pytest.raises(HoleUnfilled):
        await FleetSequencer(Marks(), FleetMemoryFeed(samples.log_id, [])).admit([ended])


async def test_the_same_number_with_another_id_means_that_history_was_rewritten(
    fleet_samples: FleetSamples, fleet_feed: FleetMemoryFeed
) -> None:
    started = fleet_samples.rollout_started()
    sequencer = FleetSequencer(Marks(), fleet_feed)
    await sequencer.admit([started])
    with pytest.raises(HistoryRewritten):
        await sequencer.admit([replace(started, id=str(uuid4()))])


@pytest.mark.parametrize("of", ["a clinic", "a rollout"])
async def test_a_message_of_a_newer_type_is_passed_over_and_its_number_counts(
    fleet_samples: FleetSamples, of: str
) -> None:
    made = made_by(fleet_samples)
    mine = next(one for one in made if isinstance(one.message, RolloutStarted) == (of == "a rollout"))
    record = newer_record_of(mine)
    unknown = decode_fleet(record.key, record.value, record.headers)
    assert isinstance(unknown, UnknownOutcome)
    assert (unknown.type, unknown.key, unknown.sequence) == (NEWER_TYPE, mine.key, 1)
    feed = FleetMemoryFeed(fleet_samples.log_id, made, newer={mine.id})
    rest = [one for one in made if one is not mine]
    assert await FleetSequencer(Marks(), feed).admit([unknown, *rest]) == rest
    assert feed.asked == 0
    by_feed = FleetSequencer(Marks(), feed)  # it is in a hole, which the feed fills
    assert await by_feed.admit(rest) == rest
    assert by_feed.holes == 1


def test_a_record_of_the_other_topic_is_no_message_of_this_one(fleet_samples: FleetSamples) -> None:
    told, outcome = record_of(fleet_samples.updated()), record_of(OutcomeSamples().synced())
    assert isinstance(decode(told.key, told.value, told.headers), UnknownOutcome)
    assert isinstance(decode_fleet(outcome.key, outcome.value, outcome.headers), UnknownOutcome)


@pytest.mark.parametrize("key", [b"another", None, b""])
def test_a_newer_message_about_a_rollout_under_another_key_is_refused(
    fleet_samples: FleetSamples, key: bytes | None
) -> None:
    record = newer_record_of(fleet_samples.rollout_started())
    with pytest.raises(UndecodableRecord):
        decode_fleet(key, record.value, record.headers)


def test_a_record_without_its_log_is_refused(fleet_samples: FleetSamples) -> None:
    record = record_of(fleet_samples.updated())
    headers = tuple((name, value) for name, value in record.headers if name != "log_id")
    with pytest.raises(UndecodableRecord, match="log_id"):
        decode_fleet(record.key, record.value, headers)


def test_an_item_of_the_feed_that_is_not_as_promised_is_no_message(fleet_samples: FleetSamples) -> None:
    one = fleet_samples.updated()
    item = {
        "position": 1, "id": one.id, "type": ToolUpdated.TYPE, "time": "2026-01-01T00:00:01Z",
        "data": one.message.model_dump(mode="json"),
    }  # fmt: skip
    read = from_fleet_feed(item, one.log_id)
    assert isinstance(read, FleetDelivered)
    assert (read.message, read.key) == (one.message, fleet_samples.org("clinic"))
    for broken in ({**item, "data": {}}, {**item, "position": "x"}, {k: v for k, v in item.items() if k != "id"}):
        with pytest.raises(FeedUnavailable):
            from_fleet_feed(broken, one.log_id)


def test_what_stands_for_a_rollout_is_kept_for_ever_and_no_other_rollouts() -> None:
    assert rollout_key("3f9c1a2b") == UUID("376dd93c-8b6c-5c08-8536-1f8083792308")
    assert rollout_key("3f9c1a2b") != rollout_key("3f9c1a2c")

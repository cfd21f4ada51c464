"""The outcomes, and what becomes of tools, for a FastStream application: the same rules, FastStream's life cycle.

    broker = KafkaBroker(...)
    follow_outcomes(broker, "billing", state=state, feed=feed)
    app = FastStream(broker)

Needs the extra ``[faststream]``. Every option that matters is given here, because FastStream's defaults lose messages:
they commit before the work is done, begin a new group at the end of the topic, and drop a whole batch for one header
that is no text.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from aiokafka import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber

from zerotouch_contracts.subscriber.delivery import Delivered, Enveloped, FleetDelivered, decode, decode_fleet
from zerotouch_contracts.subscriber.feed import Pages
from zerotouch_contracts.subscriber.reader import BATCH_RECORDS, Decode, decoded
from zerotouch_contracts.subscriber.sequencer import SequencerOf
from zerotouch_contracts.subscriber.state import StateOf
from zerotouch_contracts.subscriber.unknown import PassedOver
from zerotouch_contracts.topics import FLEET, OUTCOMES

D = TypeVar("D", bound=Enveloped[Any])
Batch = tuple[ConsumerRecord[Any, Any], ...]

BATCH_MILLISECONDS: Final = 100


def follow_outcomes(
    broker: KafkaBroker,
    group_id: str,
    *,
    state: StateOf[Delivered],
    feed: Pages[Delivered],
    topic: str = OUTCOMES.name,
    passed_over: PassedOver | None = None,
) -> BatchSubscriber:
    """Subscribe ``state`` to the outcomes. A batch that fails is handed out again, from the stored marks on.

    ``passed_over`` counts messages of types that are newer than this release.
    """
    return _follow(broker, group_id, state, feed, topic, passed_over or PassedOver(), decode)


def follow_fleet(
    broker: KafkaBroker,
    group_id: str,
    *,
    state: StateOf[FleetDelivered],
    feed: Pages[FleetDelivered],
    topic: str = FLEET.name,
    passed_over: PassedOver | None = None,
) -> BatchSubscriber:
    """Subscribe ``state`` to what becomes of tools and rollouts, as :func:`follow_outcomes` does to the outcomes."""
    return _follow(broker, group_id, state, feed, topic, passed_over or PassedOver(), decode_fleet)


def _follow(
    broker: KafkaBroker,
    group_id: str,
    state: StateOf[D],
    feed: Pages[D],
    topic: str,
    counted: PassedOver,
    decode: Decode[D],
) -> BatchSubscriber:
    sequencer: SequencerOf[D] | None = None

    async def take_in(records: Batch) -> None:
        nonlocal sequencer
        current, sequencer = sequencer or SequencerOf(await state.load(), feed, counted), None
        admitted = await current.admit([item for record in records if (item := decoded(record, decode))])
        if (marks := current.marks()).last:
            await state.apply(admitted, marks)
        sequencer = current  # only now: after an exception the next batch begins at what is stored

    subscriber = broker.subscriber(
        topic,
        batch=True,
        max_records=BATCH_RECORDS,
        batch_timeout_ms=BATCH_MILLISECONDS,
        group_id=group_id,
        ack_policy=AckPolicy.NACK_ON_ERROR,
        auto_offset_reset="earliest",
        no_reply=True,
        parser=_parse,
        decoder=_raw_records,
    )
    subscriber(take_in)
    return subscriber


async def _parse(records: Batch, original: Callable[[Batch], Awaitable[KafkaMessage]]) -> KafkaMessage:
    message = await original(tuple(replace(record, headers=()) for record in records))
    message.raw_message = records
    return message


async def _raw_records(message: KafkaMessage) -> Any:
    return message.raw_message

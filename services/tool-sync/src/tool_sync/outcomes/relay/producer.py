"""Sends a page of records: all of them, or an exception and no more use of this producer.

One total timeout for a page; after it, and after any trouble, the producer is dropped, and whoever leads next sends the
page again.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tool_sync.outcomes.batches import Batches, Outgoing
from zerotouch_contracts.envelope import Record
from zerotouch_contracts.kafka import TROUBLE, described


class PublishFailed(Exception):
    """Kafka did not take the records; the message says how many of which topic, and why."""


@contextmanager
def publishing(topic: str, count: int = 0) -> Iterator[None]:
    """Within it Kafka's absence is :class:`PublishFailed`."""
    try:
        yield
    except TROUBLE as error:
        reason = described(error)
        raise PublishFailed(
            f"{topic}: {count} record(s) were not taken by Kafka: {reason}; the relay resigns and retries"
        ) from error


async def send_all(batches: Batches, topic: str, records: Sequence[Record], *, seconds_max: float) -> None:
    """Send the records in this order and wait until Kafka has them all; :class:`PublishFailed` otherwise."""
    with publishing(topic, len(records)):
        async with asyncio.timeout(seconds_max):
            await batches.send_all([Outgoing(r.key, r.value, r.headers) for r in records])

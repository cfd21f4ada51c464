"""When outcomes were published: what tells how soon the system works again after a fault."""

import asyncio
import bisect
from itertools import pairwise
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

OUTPUT: Final = "tool-sync.outcomes.v1"
READ_MILLISECONDS: Final = 50
RETRY_SECONDS: Final = 0.2
POLL_SECONDS: Final = 0.05


class Outcomes:
    """The times of all records of the outcomes topic, as the relay stamped them, in the order of arrival."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._offsets: dict[Any, int] = {}
        self._times: list[float] = []
        self.count = 0

    async def follow(self) -> None:
        """Read until cancelled, also over the broker's restarts."""
        while True:
            try:
                await self._read()
            except (KafkaError, OSError):
                await asyncio.sleep(RETRY_SECONDS)

    async def first_after(self, moment: float, within_seconds: float) -> float | None:
        """Seconds from a moment (since 1970) to the first record stamped after it; None where there is none in time."""
        try:
            async with asyncio.timeout(within_seconds):
                while True:
                    place = bisect.bisect_right(self._times, moment)
                    if place < len(self._times):
                        return self._times[place] - moment
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            return None

    def longest_gap(self, began: float, ended: float) -> float:
        """The longest time within a span without a record, in seconds; times are seconds since 1970."""
        inside = [time for time in self._times if began <= time <= ended]
        return max(later - earlier for earlier, later in pairwise([began, *inside, ended]))

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            OUTPUT,
            bootstrap_servers=self._bootstrap_servers,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=5000,
        )
        await consumer.start()
        try:
            for partition in consumer.assignment():
                consumer.seek(partition, self._offsets.get(partition, 0))
            while True:
                for partition, records in (await consumer.getmany(timeout_ms=READ_MILLISECONDS)).items():
                    for record in records:
                        bisect.insort(self._times, record.timestamp / 1000)
                    self._offsets[partition] = records[-1].offset + 1
                    self.count += len(records)
        finally:
            await consumer.stop()

"""What a process knows of its key while it reads the row that all replicas share."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from tool_sync.vapi.rate_limit.shared import KeyLimits, SharedKey
from tool_sync.vapi.rate_limit.table import KeyRow

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
LIMITS = KeyLimits(
    rate=None, probe_seconds=5, refused_seconds=60, breaker_failures=5, breaker_seconds_base=1, breaker_seconds_max=60,
    read_seconds=1,
)  # fmt: skip


class SlowTable:
    """The row says that one call goes first; it is answered when it is told to."""

    key, account = "key-1", None

    def __init__(self) -> None:
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        self.reads = 0

    async def read(self, _now: datetime) -> KeyRow:
        self.reads += 1
        if self.reads == 2:
            self.asked.set()
            await self.answer.wait()
        return KeyRow(half_open=True)

    async def probe(self, _seconds: float) -> datetime:
        return NOW

    async def lift(self) -> None:
        """All replicas are told."""


async def test_a_read_that_was_under_way_does_not_undo_what_an_answer_has_said() -> None:
    """Otherwise an org that waits for the key is given back with its old due time, and nobody wakes it again."""
    table: Any = SlowTable()
    seconds = 0.0
    key = SharedKey(table, LIMITS, monotonic=lambda: seconds)
    assert await key.admit(NOW, "save") is None  # the call that goes first
    seconds = 2.0
    reading = asyncio.create_task(key.admit(NOW, "save"))
    await table.asked.wait()
    await key.note("answered", NOW, 0.5)

    table.answer.set()
    await reading

    assert key.known.lifted_at == NOW

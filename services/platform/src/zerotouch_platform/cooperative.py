"""Long work gives way: the event loop serves everybody, also while a batch is worked through."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

ITEMS_AT_ONCE: Final = 25
"""Some milliseconds of work on messages, spans or log lines; 500 at once were 40 ms and more."""


async def yielding_every(count: int, items: Iterable[T]) -> AsyncIterator[T]:
    """Yield ``items``; everybody else has a turn after every ``count`` of them."""
    for place, item in enumerate(items):
        if place and place % count == 0:
            await asyncio.sleep(0)
        yield item

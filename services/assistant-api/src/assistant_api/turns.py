"""Long work in short turns: the event loop serves everybody, also while a batch is worked through."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

TURN_ITEMS: Final = 25
"""Some milliseconds of work on messages, spans or log lines; 500 in one turn were 40 ms and more."""


async def yielding(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield ``items``, with a turn for everybody else after every ``TURN_ITEMS`` of them."""
    for place, item in enumerate(items):
        if place and place % TURN_ITEMS == 0:
            await asyncio.sleep(0)
        yield item

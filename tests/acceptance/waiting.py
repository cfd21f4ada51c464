"""Waiting without sleeping: ask until the answer is true, up to a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

EVERY_SECONDS = 0.02


async def eventually(check: Callable[[], Awaitable[object]], *, within_seconds: float = 10.0) -> Any:
    """Returns the first answer that is true; fails with the last one when the time is up."""
    until = time.monotonic() + within_seconds
    while not (answer := await check()):
        assert time.monotonic() < until, f"not within {within_seconds:g} s; last answer: {answer!r}"
        await asyncio.sleep(EVERY_SECONDS)
    return answer

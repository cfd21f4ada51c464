"""Waiting without sleeping: for what happens in another task, process or service, and signals nobody here."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any


async def eventually(
    check: Callable[[], Awaitable[Any]], *, within_seconds: float = 20.0, every_seconds: float = 0.02
) -> Any:
    """The first answer that is true; fails with the last one when the time is up."""
    until = time.monotonic() + within_seconds
    while not (answer := await check()):
        assert time.monotonic() < until, f"not within {within_seconds:g} s; last answer: {answer!r}"
        await asyncio.sleep(every_seconds)
    return answer

"""Waiting for something that only asking can tell."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

POLL_SECONDS: Final = 0.05


async def until(
    check: Callable[[], Awaitable[bool]], within_seconds: float, *, every_seconds: float = POLL_SECONDS
) -> bool:
    """Ask until the answer is yes; False where the time is up before."""
    deadline = time.monotonic() + within_seconds
    while True:
        if await check():
            return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(every_seconds)

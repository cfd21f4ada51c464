"""Waiting without sleeping: for what happens in another task, process or service, and signals nobody here."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def until(check: Callable[[], Awaitable[T]], within_seconds: float, *, every_seconds: float = 0.05) -> T:
    """The first answer that is true; the last one when the time is up."""
    deadline = time.monotonic() + within_seconds
    while not (answer := await check()) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(every_seconds)
    return answer


async def eventually(
    check: Callable[[], Awaitable[Any]], *, within_seconds: float = 20.0, every_seconds: float = 0.02
) -> Any:
    """The first answer that is true; fails with the last one when the time is up."""
    answer = await until(check, within_seconds, every_seconds=every_seconds)
    assert answer, f"{getattr(check, '__name__', check)}: not within {within_seconds:g} s; last answer: {answer!r}"
    return answer

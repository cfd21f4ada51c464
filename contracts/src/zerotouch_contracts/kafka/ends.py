"""Ending clients for good, whether or not the broker answers.

aiokafka has no end for a client whose broker is away. A producer's ``stop`` waits until all is sent. A consumer's
raises ``CancelledError`` (0.14: its fetcher awaits a task that it has cancelled), which a loop takes for its own end.
And cut off in that, both leave tasks that live as long as the process: they send old batches when the broker is back,
keep a member in the group that reads nothing, or connect 1,800 times a second.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

TROUBLE: Final = (KafkaError, OSError, TimeoutError)
"""What Kafka's absence looks like."""

PART_SECONDS_MAX: Final = 0.5
"""For each part of a client that is cut off."""


async def drop_producer(producer: AIOKafkaProducer) -> str | None:
    """End a producer at once: what is not acknowledged is not sent any more. Returns why that was not clean."""
    producer._closed = True
    sending = await _end(producer._sender.close(), PART_SECONDS_MAX)
    return await _end(producer.client.close(), PART_SECONDS_MAX) or sending


async def drop_consumer(consumer: AIOKafkaConsumer, seconds_max: float) -> str | None:
    """Leave the group and end; where that fails or takes longer, end all the same. Returns why it was not clean."""
    reason = await _end(consumer.stop(), seconds_max)
    if reason is not None:
        await _cancel([*_tasks_of_group(consumer._coordinator), *_tasks_of_fetching(consumer._fetcher)])
        await _end(consumer._client.close(), PART_SECONDS_MAX)
    return reason


def described(error: BaseException) -> str:
    """An error of a client in words for an operator."""
    return "no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"


def _tasks_of_group(coordinator: Any) -> list["asyncio.Task[Any] | None"]:
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task")
    return [getattr(coordinator, name, None) for name in names]


def _tasks_of_fetching(fetcher: Any) -> list["asyncio.Task[Any] | None"]:
    return [] if fetcher is None else [fetcher._fetch_task, *fetcher._pending_tasks]


async def _end(ending: Coroutine[Any, Any, None], seconds_max: float) -> str | None:
    """Run what ends a part, in a task of its own, as it may raise CancelledError. Returns why it failed, or None."""
    task = asyncio.ensure_future(ending)
    try:
        ended, _ = await asyncio.wait([task], timeout=seconds_max)
        if not ended:
            return "no answer in time"
        if task.cancelled():
            return "it was in the middle of a request"
        error = task.exception()
        return None if error is None else described(error)
    finally:
        await _cancel([task])


async def _cancel(tasks: Iterable["asyncio.Task[Any] | None"]) -> None:
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=PART_SECONDS_MAX)

"""Many appends in one transaction: a bounded queue, drained by one task in rounds.

No timer: a lone append is a round of one and waits for nobody; under load, what arrives during a round is the next one.

A round that fails for its data is repeated in halves until the bad request stands alone. One whose outcome is unknown
(the connection was lost, the server is away) is sent again, the same bytes, until the oldest request's time is up; the
ids make that safe.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import asyncpg

from tool_sync import db
from tool_sync.db import Pool
from tool_sync.log.errors import AppendRejected, LogUnavailable
from tool_sync.log.records import Appended, AppendResult
from tool_sync.log.statement import EncodedRequest, execute

DATA_CLASSES = frozenset({"21", "22", "23", "2F", "38", "39", "54", "P0", "ZT"})
"""SQLSTATE classes that the data of a request can cause. All others are transient (a lost connection, a time-out, a
server that stops) or a mistake of the deployment (no such function yet, no right to call it): the data waits.
"""

Answer = AppendResult | AppendRejected


@dataclass(slots=True)
class _Waiting:
    request: EncodedRequest
    answer: "asyncio.Future[Answer]"
    since: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Limits. ``append_seconds_max`` is from queued to given up, resends included; ``retry_seconds`` between those."""

    queue_requests_max: int = 10_000
    round_requests_max: int = 500
    append_seconds_max: float = 15.0
    retry_seconds: float = 0.2


class GroupCommit:
    """The queue and the task that drains it."""

    def __init__(self, pool: Pool, settings: LogSettings, on_append: Callable[[int], None] | None) -> None:
        self._pool = pool
        self._settings = settings
        self._on_append = on_append
        self._queue: deque[_Waiting] = deque()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._stopping = False

    @property
    def waiting(self) -> int:
        """The number of requests in the queue."""
        return len(self._queue)

    async def submit(self, requests: Sequence[EncodedRequest]) -> list[Answer]:
        """Queues the requests, in order, and waits for their answers. Raises `LogUnavailable`."""
        loop = asyncio.get_running_loop()
        answers = []
        for request in requests:
            while len(self._queue) >= self._settings.queue_requests_max and not self._stopping:
                self._drained.clear()
                await self._drained.wait()
            if self._stopping:
                raise LogUnavailable(request.stream, 0.0, "this process is stopping")
            # Nothing is awaited between the check and this, so the queue's limit holds without a lock.
            waiting = _Waiting(request, loop.create_future())
            self._queue.append(waiting)
            self._filled.set()
            answers.append(waiting.answer)
        if len(answers) == 1:  # by far the most frequent, and gather costs as much as the rest of this
            return [await answers[0]]
        return await asyncio.gather(*answers)

    async def run_once(self) -> bool:
        """Appends what is waiting, at most one round of it; False where nothing was."""
        if not self._queue:
            return False
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._settings.round_requests_max))]
        self._drained.set()
        try:
            # Whose caller was cancelled while it waited is not appended: nobody would learn of it, and act on it.
            await self._settle([waiting for waiting in batch if not waiting.answer.done()])
        finally:
            for waiting in batch:  # only where this task was cancelled
                if not waiting.answer.done():
                    waiting.answer.set_exception(_unavailable(waiting, "this process is stopping"))
        return True

    async def run_forever(self) -> None:
        """Drains the queue until `stop`, and then what is left in it."""
        while not self._stopping or self._queue:
            # One round at a time: rounds in parallel would only queue for the append lock, and lose their order.
            if not await self.run_once():
                self._filled.clear()
                await self._filled.wait()

    def stop(self) -> None:
        """No new requests; those in the queue are still appended."""
        self._stopping = True
        self._filled.set()
        self._drained.set()

    async def _settle(self, batch: list[_Waiting]) -> None:
        """Gives every request of the batch its answer."""
        pending = batch
        while pending:
            try:
                async with self._pool.acquire(timeout=self._settings.append_seconds_max) as connection:
                    results = await execute(connection, [waiting.request for waiting in pending])
            except (asyncpg.PostgresError, *db.TRANSIENT_ERRORS) as error:
                if _is_for_data(error):
                    await self._halve(pending, error)
                    return
                # Perhaps it was stored and the answer lost. The same ids again: append answers Duplicate, never twice.
                pending = await self._wait_out(pending, error)
            else:
                self._answer(pending, results)
                return

    async def _halve(self, batch: list[_Waiting], error: Exception) -> None:
        if len(batch) == 1:
            sqlstate = error.sqlstate if isinstance(error, asyncpg.PostgresError) else None
            _resolve(batch[0], AppendRejected(batch[0].request.stream, sqlstate, str(error)))
            return
        # Not a savepoint for each request: every round would pay for what a bad request, which is rare, costs here.
        middle = len(batch) // 2
        await self._settle(batch[:middle])
        await self._settle(batch[middle:])

    async def _wait_out(self, batch: list[_Waiting], error: Exception) -> list[_Waiting]:
        """Gives up on the requests whose time is up; the others, after a pause."""
        reason = f"{type(error).__name__}: {error}"
        again = []
        for waiting in batch:
            if time.monotonic() - waiting.since + self._settings.retry_seconds < self._settings.append_seconds_max:
                again.append(waiting)
            elif not waiting.answer.done():
                waiting.answer.set_exception(_unavailable(waiting, reason))
        if again:
            await asyncio.sleep(self._settings.retry_seconds)
        return again

    def _answer(self, batch: list[_Waiting], results: list[AppendResult]) -> None:
        head = 0
        for waiting, result in zip(batch, results, strict=True):
            if isinstance(result, Appended):
                head = max(head, result.first_position + len(waiting.request.ids) - 1)
            _resolve(waiting, result)
        if head and self._on_append is not None:
            self._on_append(head)


def _resolve(waiting: _Waiting, answer: Answer) -> None:
    if not waiting.answer.done():  # done: the caller was cancelled; the append stands all the same
        waiting.answer.set_result(answer)


def _unavailable(waiting: _Waiting, reason: str) -> LogUnavailable:
    return LogUnavailable(waiting.request.stream, time.monotonic() - waiting.since, reason)


def _is_for_data(error: Exception) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in DATA_CLASSES
    return isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)  # a value that has no encoding

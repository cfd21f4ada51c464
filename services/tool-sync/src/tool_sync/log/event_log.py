"""`EventLog`: what the rest of the process sees of the log."""

from collections.abc import Callable, Collection, Sequence
from typing import Final
from uuid import UUID

from tool_sync.db import Pool
from tool_sync.log import load, read
from tool_sync.log.errors import AppendRejected
from tool_sync.log.group_commit import GroupCommit, LogSettings
from tool_sync.log.load import LoadedAll, Snapshot
from tool_sync.log.read import Page
from tool_sync.log.records import AppendRequest, AppendResult
from tool_sync.log.statement import EncodedRequest, encode
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS


class EventLog:
    """Append, load and read. `run_forever` must be running for appends to be answered.

    ``on_append`` is called with the newest position after each round that stored something; it must not block.
    """

    def __init__(
        self, pool: Pool, settings: LogSettings | None = None, *, on_append: Callable[[int], None] | None = None
    ) -> None:
        self._pool = pool
        self._commits = GroupCommit(pool, settings or LogSettings(), on_append)
        self.run_once: Final = self._commits.run_once
        self.run_forever: Final = self._commits.run_forever
        """Answers appends until `stop`, and then those still waiting."""
        self.stop: Final = self._commits.stop
        """Refuses new appends; `run_forever` returns once the waiting ones are answered."""

    async def append(self, request: AppendRequest) -> AppendResult:
        """Stores the request's events, all or none. Only `Appended` permits a call to Vapi.

        Raises `AppendRejected` (its data is refused, for good) or `LogUnavailable` (the outcome is unknown).
        """
        (answer,) = await self._commits.submit([encode(request)])
        if isinstance(answer, AppendRejected):
            raise answer
        return answer

    async def append_all(self, requests: Sequence[AppendRequest]) -> list[AppendResult | AppendRejected]:
        """Stores requests in their order, each for itself: a bad one is its own answer and stops no other.

        Raises `LogUnavailable` where some outcome is unknown: send all of them again.
        """
        encoded = [_encode_or_reject(request) for request in requests]
        answers = iter(await self._commits.submit([item for item in encoded if isinstance(item, EncodedRequest)]))
        return [item if isinstance(item, AppendRejected) else next(answers) for item in encoded]

    async def load(self, org_ids: Collection[UUID], *, fold: int, fleet_after: int) -> LoadedAll:
        """See `load.load`; one statement on a connection of the pool."""
        async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            return await load.load(connection, org_ids, fold, fleet_after)

    async def read(self, after: int, limit: int) -> Page:
        """See `read.read`; one statement on a connection of the pool."""
        async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            return await read.read(connection, after, limit)

    async def save_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """See `load.save_snapshots`."""
        async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            await load.save_snapshots(connection, snapshots)

    @property
    def waiting(self) -> int:
        """The number of requests that are queued and not yet sent."""
        return self._commits.waiting


def _encode_or_reject(request: AppendRequest) -> EncodedRequest | AppendRejected:
    try:
        return encode(request)
    except AppendRejected as rejected:
        return rejected

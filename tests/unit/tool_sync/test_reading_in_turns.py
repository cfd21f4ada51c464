"""What HTTP reads of the log is read in turns of those who ask."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from tests.support.jwt_settings import JwtSettings

from devstack.tokens import new_signer
from tool_sync.db import Pool
from tool_sync.http.access import reading
from tool_sync.http.state import HttpState
from zerotouch_platform.auth import TokenVerifier
from zerotouch_platform.health import Health
from zerotouch_platform.turns import Turns, owner_now


class Connections:
    """A pool that always has one more."""

    @asynccontextmanager
    async def acquire(self, timeout: float) -> AsyncIterator[Any]:
        yield object()


async def test_one_clinics_reads_wait_for_each_other_and_not_for_its_neighbours() -> None:
    state = HttpState(TokenVerifier(JwtSettings(new_signer().public_key)), Health(check_seconds_max=0.2, starting=None))
    state.pool, state.turns = cast(Pool, Connections()), Turns(places=2, of_one_max=1)
    reads: list[str] = []
    go_on = asyncio.Event()

    async def read(clinic: str) -> None:
        owner_now.set(clinic)
        async with reading(state, None):
            reads.append(clinic)
            await go_on.wait()

    tasks = [asyncio.create_task(read(clinic)) for clinic in ("greedy", "greedy", "greedy", "neighbour")]
    for _ in range(10):
        await asyncio.sleep(0)
    assert reads == ["greedy", "neighbour"]
    go_on.set()
    await asyncio.gather(*tasks)
    assert reads == ["greedy", "neighbour", "greedy", "greedy"]

"""The leader's session is touched in time, and not where its own statements touch it already."""

import asyncio
from contextlib import suppress
from typing import Any, cast

from zerotouch_platform.postgres.leader import Candidate

TOUCH: str = "SELECT 1"


class Asked:
    """A session that notes what it is asked."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    async def fetchval(self, statement: str, *_: object, **__: object) -> int:
        self.statements.append(statement)
        return 1


async def touched_while(session: Asked, leader: Candidate, own_statements: int) -> int:
    """How often a session is touched each 0.2 s while its leader asks something every 0.05 s."""
    touching = asyncio.create_task(leader.touch_forever(0.2))
    for _ in range(own_statements):
        await leader.fetchval("SELECT own")
        await asyncio.sleep(0.05)
    touches = session.statements.count(TOUCH)
    await asyncio.sleep(0.3)
    touching.cancel()
    with suppress(asyncio.CancelledError):
        await touching
    assert session.statements.count(TOUCH) > touches  # a silent leader touches it again
    return touches


async def test_a_leader_that_asks_something_does_not_touch_its_session_beside_that() -> None:
    session = Asked()
    assert await touched_while(session, Candidate(cast(Any, session)), own_statements=10) == 0

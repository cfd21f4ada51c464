"""Lost assistants are found by their mark, and those who look at the same time share a list."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast
from uuid import UUID

import pytest

from assistant_api.db import DatabaseUnavailable
from assistant_api.document import AgentMarker
from assistant_api.settings import Settings
from assistant_api.vapi.answers import Later
from assistant_api.vapi.client import VapiClient
from assistant_api.vapi.orphan_lookup import OrphanLookup
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.vapi.clock import VapiClock

Answer = Sequence[Mapping[str, Any]] | Later | Exception


class Vapi:
    """Answers one list after the other, when it is told to; ``asked`` has the windows."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[datetime, datetime | None, bool]] = []
        self._goes_on = asyncio.Semaphore(0)
        self.clock = VapiClock()
        self.clock.heard({"date": format_datetime(datetime.now(UTC), usegmt=True)}, *[time.monotonic()] * 2)

    def answers(self, lists: int) -> None:
        """Let so many lists be answered."""
        for _ in range(lists):
            self._goes_on.release()

    async def created_between(
        self, start: datetime, end: datetime | None, *, save: bool = True
    ) -> list[Mapping[str, Any]] | Later:
        self.asked.append((start, end, save))
        answer = self._answers.pop(0)
        await self._goes_on.acquire()
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Later) else list(answer)


class Patience:
    """The settings that are looked at."""

    vapi_deadline_seconds = 5.0
    lost_create_window_minutes = 10


def looker(vapi: Vapi, *, deadline_seconds: float = 5.0) -> OrphanLookup:
    settings = Patience()
    settings.vapi_deadline_seconds = deadline_seconds
    return OrphanLookup(cast(VapiClient, vapi), cast(Settings, settings))


def mark(agent_id: str) -> AgentMarker:
    return AgentMarker(UUID(int=1), UUID(int=2), agent_id)


def made(assistant_id: str, agent_id: str, *, seconds_ago: float = 10) -> dict[str, Any]:
    created_at = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()
    return {"id": assistant_id, "createdAt": created_at, "metadata": mark(agent_id).metadata()}


async def begun() -> None:
    """Let everybody go as far as they get."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_of_several_the_oldest_with_the_mark_is_taken() -> None:
    items = [made("young", "a", seconds_ago=1), made("old", "a", seconds_ago=2), made("older", "b", seconds_ago=3)]
    vapi = Vapi(items, [], Later(ErrorCode.VAPI_SERVER_ERROR))
    vapi.answers(9)
    lost = looker(vapi)

    assert await lost.find(mark("a"), age_seconds=30) == items[1]
    assert await lost.find(mark("a"), age_seconds=30) is None
    assert await lost.find(mark("a"), age_seconds=30) == Later(ErrorCode.VAPI_SERVER_ERROR)


async def test_those_who_ask_while_a_list_is_under_way_share_the_next_which_covers_them_all() -> None:
    vapi = Vapi([], [made("x", "a1"), made("y", "a7")])
    lost = looker(vapi)
    first = asyncio.create_task(lost.find(mark("a1"), age_seconds=30))
    await begun()
    others = [asyncio.create_task(lost.find(mark(f"a{n}"), age_seconds=30 * n)) for n in range(1, 9)]
    await begun()
    vapi.answers(9)

    assert await first is None  # its list began before
    found = await asyncio.gather(*others)

    assert [item and item["id"] for item in found] == ["x", *[None] * 5, "y", None]  # type: ignore[index]
    assert len(vapi.asked) == 2
    start, end, save = vapi.asked[1]
    assert start <= datetime.now(UTC) - timedelta(seconds=239, minutes=10)
    assert end is None
    assert save


async def test_what_was_made_outside_of_ones_own_window_is_not_ones_own() -> None:
    items = [made("before", "a", seconds_ago=700), made("within", "a", seconds_ago=25), made("no date", "a")]
    items[2]["createdAt"] = "yesterday"
    vapi = Vapi(items, items)
    vapi.answers(9)
    lost = looker(vapi)

    about = await lost.made_about(mark("a"), age_seconds=30, after_seconds=20, save=False)
    long_ago = await lost.made_about(mark("a"), age_seconds=7200, after_seconds=20)

    assert [item["id"] for item in cast(list[Any], about)] == ["within", "no date"]
    assert [item["id"] for item in cast(list[Any], long_ago)] == ["no date"]


async def test_an_error_is_everybodys_and_nobody_asks_again_for_it() -> None:
    vapi = Vapi([], DatabaseUnavailable("away"))
    lost = looker(vapi)
    first = asyncio.create_task(lost.find(mark("a"), age_seconds=30))
    await begun()
    others = [asyncio.create_task(lost.find(mark("a"), age_seconds=30)) for _ in range(3)]
    await begun()
    vapi.answers(9)

    assert await first is None
    results = await asyncio.gather(*others, return_exceptions=True)

    assert all(isinstance(result, DatabaseUnavailable) for result in results)
    assert len(vapi.asked) == 2


async def test_when_who_began_the_list_is_cut_off_another_begins_it_anew() -> None:
    vapi = Vapi([], [], [made("x", "a")])
    lost = looker(vapi)
    first = asyncio.create_task(lost.find(mark("a"), age_seconds=30))
    await begun()
    second, third = (asyncio.create_task(lost.find(mark("a"), age_seconds=30)) for _ in range(2))
    await begun()
    vapi.answers(1)
    await first
    await begun()
    assert len(vapi.asked) == 2
    second.cancel()
    vapi.answers(1)

    found = await third

    assert isinstance(found, dict)
    assert found["id"] == "x"


async def test_nobody_waits_longer_than_the_deadline() -> None:
    lost = looker(Vapi([], []), deadline_seconds=0.05)

    answers = await asyncio.gather(*(lost.find(mark("a"), age_seconds=30) for _ in range(3)))

    assert answers == [Later(ErrorCode.VAPI_UNREACHABLE)] * 3


async def test_a_timeout_of_the_database_stays_one() -> None:
    vapi = Vapi(TimeoutError("the pool"))
    vapi.answers(9)

    with pytest.raises(TimeoutError, match="the pool"):
        await looker(vapi).find(mark("a"), age_seconds=30)

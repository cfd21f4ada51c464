"""An assistant that is read while its tool is made: which of those reads serves a link, and which is made again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.tool_sync.domain.builders import assistant

from tool_sync.domain.plan.steps import Lane, LinkAssistant
from tool_sync.sync.asking import KeyHeld
from tool_sync.sync.read_ahead import PAUSE_SECONDS, SECONDS_MAX, ReadAhead
from tool_sync.vapi.accounts import ReadsAhead

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Reads:
    """A guard whose reads answer when they are told to."""

    def __init__(self) -> None:
        self.now, self.writer = 0.0, SimpleNamespace(knowledge=SimpleNamespace(reloads=0))
        clock = SimpleNamespace(monotonic=lambda: self.now)
        vapi = SimpleNamespace(get_assistant=self._get)
        self.context = SimpleNamespace(clock=clock, vapi=vapi, reads_ahead=ReadsAhead())
        self.answers: list[asyncio.Future[Any]] = []

    def in_lane(self, _lane: Lane) -> "Reads":
        return self

    async def look(self, call: Callable[[], Awaitable[Any]]) -> Any:
        return await call()

    async def _get(self, _assistant_id: str) -> Any:
        self.answers.append(asyncio.get_running_loop().create_future())
        return await self.answers[-1]

    async def begun(self, ahead: ReadAhead, link: LinkAssistant) -> None:
        ahead.start([link])
        await asyncio.sleep(0)


def link(through: int = 1) -> LinkAssistant:
    return LinkAssistant(assistant(assistant_id="v-1"), (), through)


def guarded() -> tuple[Any, ReadAhead]:
    reads: Any = Reads()
    return reads, ReadAhead(reads)


async def test_a_read_that_the_key_held_up_is_made_again_when_its_link_is_tried_again() -> None:
    reads, ahead = guarded()
    await reads.begun(ahead, link())
    reads.answers[0].set_exception(KeyHeld(NOW))
    with pytest.raises(KeyHeld):
        await ahead.read(link(), reads)

    again = asyncio.create_task(ahead.read(link(), reads))
    await asyncio.sleep(0)
    reads.answers[1].set_result({"is": "read"})
    assert await again == {"is": "read"}
    await ahead.ended()


async def test_a_read_that_was_begun_ahead_is_the_links_own() -> None:
    reads, ahead = guarded()
    await reads.begun(ahead, link())
    await reads.begun(ahead, link())  # planned again and again while the tool is made
    reads.answers[0].set_result({"is": "first"})

    assert await ahead.read(link(), reads) == {"is": "first"}
    assert len(reads.answers) == 1

    again = asyncio.create_task(ahead.read(link(), reads))  # the link looks again: that is a read of its own
    await asyncio.sleep(0)
    reads.answers[1].set_result({"is": "second"})
    assert await again == {"is": "second"}


async def test_two_agents_of_one_assistant_are_not_served_by_one_read() -> None:
    reads, ahead = guarded()
    await reads.begun(ahead, link())
    asked = [asyncio.create_task(ahead.read(link(), reads)) for _ in range(2)]
    await asyncio.sleep(0)
    reads.answers[0].set_result({"is": "first"})
    for _ in range(3):
        await asyncio.sleep(0)
    reads.answers[1].set_result({"is": "second"})

    assert await asyncio.gather(*asked) == [{"is": "first"}, {"is": "second"}]


@pytest.mark.parametrize(
    "happens",
    ["it is old", "it gets old on the way", "a newer save", "the state was read again", "read again on the way"],
)
async def test_a_read_that_may_be_outdated_is_made_again(happens: str) -> None:
    reads, ahead = guarded()
    await reads.begun(ahead, link())
    if happens == "it is old":
        reads.now = SECONDS_MAX + 0.01
    if happens == "the state was read again":
        reads.writer.knowledge.reloads += 1
    asked = asyncio.create_task(ahead.read(link(2 if happens == "a newer save" else 1), reads))
    await asyncio.sleep(0)
    if happens == "it gets old on the way":
        reads.now = SECONDS_MAX + 0.01
    if happens == "read again on the way":
        reads.writer.knowledge.reloads += 1
    reads.answers[0].set_result({"is": "outdated"})
    for _ in range(3):
        await asyncio.sleep(0)
    reads.answers[1].set_result({"is": "new"})

    assert await asked == {"is": "new"}


async def test_a_failure_is_the_links_and_where_no_link_comes_it_is_nobodys() -> None:
    reads, ahead = guarded()
    await reads.begun(ahead, link())
    reads.answers[0].set_exception(ValueError("gone"))
    with pytest.raises(ValueError, match="gone"):
        await ahead.read(link(), reads)

    reads, ahead = guarded()
    await reads.begun(ahead, link())
    waiting = asyncio.create_task(ahead.ended())
    await asyncio.sleep(0)
    assert not waiting.done(), "the key must hear what came of it"
    reads.answers[0].set_exception(ValueError("gone"))
    await waiting


async def test_a_run_that_is_cut_off_ends_its_reads() -> None:
    reads, ahead = guarded()
    await reads.begun(ahead, link())
    await reads.begun(ahead, link(2))
    ahead.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert [answer.cancelled() for answer in reads.answers] == [True, True]


async def test_after_a_read_that_came_too_early_none_is_begun_for_a_while_by_any_run() -> None:
    reads, ahead = guarded()
    await reads.begun(ahead, link())
    reads.now = SECONDS_MAX + 0.01
    late = asyncio.create_task(ahead.read(link(), reads))
    await asyncio.sleep(0)
    reads.answers[1].set_result({"is": "new"})
    await late
    other: Any = ReadAhead(reads)

    await reads.begun(other, link())
    assert len(reads.answers) == 2
    reads.now += PAUSE_SECONDS
    await reads.begun(other, link())
    assert len(reads.answers) == 3

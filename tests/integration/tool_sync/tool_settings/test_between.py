"""What may come between the read and the append of a setting, or between the append and its answer."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from tool_sync.domain import events as e
from tool_sync.domain.tool_setting import OrgIsClosed, SettingBasis, SettingMoved, SettingWish
from tool_sync.intake.tool_settings import set_tool, setting_basis
from tool_sync.intake.wishes import TRIES_MAX, AlreadySo, Contended, Wisher, WishStored
from tool_sync.log import AppendRequest, LogUnavailable

from .desk import BOOK, Desk

WISHER = Wisher("test")
OFF = SettingWish(False, None)


@dataclass
class Interrupted:
    """A reader that sleeps after its read, while these events happen; each once."""

    desk: Desk
    meanwhile: list[e.Event]
    reads: int = 0

    async def __call__(self) -> tuple[int, SettingBasis]:
        """What stood there before they happened."""
        async with self.desk.pool.acquire() as connection:
            read = await setting_basis(connection, self.desk.org_id, BOOK)
        self.reads += 1
        if self.meanwhile:
            await self.desk.happened(self.meanwhile.pop(0))
        return read

    async def set(self, wish: SettingWish) -> Any:
        """Make the wish true."""
        return await set_tool(self.desk.log, self, self.desk.org_id, BOOK, wish, WISHER)


async def test_a_clinic_that_is_deleted_after_the_read_gets_no_setting(desk: Desk) -> None:
    assert await Interrupted(desk, [e.OrgClosed()]).set(OFF) == OrgIsClosed()
    assert await desk.stored() == []


async def test_who_named_the_setting_that_it_saw_does_not_overwrite_one_that_came_after_the_read(desk: Desk) -> None:
    theirs = e.ToolSettingChanged(BOOK, True)
    refusal = await Interrupted(desk, [theirs]).set(SettingWish(False, None, seen=0))
    assert isinstance(refusal, SettingMoved)
    assert [one["data"]["enabled"] for one in await desk.stored()] == [True]


async def test_what_somebody_else_has_set_the_same_after_the_read_is_not_written_twice(desk: Desk) -> None:
    assert await Interrupted(desk, [e.ToolSettingChanged(BOOK, False)]).set(OFF) == AlreadySo()
    assert len(await desk.stored()) == 1


async def test_a_save_after_the_read_only_costs_another_read(desk: Desk) -> None:
    save = e.SyncRequested(uuid4(), "agent-1", "assistant-1", 1, "b" * 64, "save", None)
    interrupted = Interrupted(desk, [save])
    assert isinstance(await interrupted.set(OFF), WishStored)
    assert (interrupted.reads, len(await desk.stored())) == (2, 1)


async def test_a_stream_that_never_stands_still_is_an_error_and_stores_nothing(desk: Desk) -> None:
    interrupted = Interrupted(desk, [e.RetryRequested(None)] * (TRIES_MAX + 1))
    with pytest.raises(Contended, match="conflicts in a row"):
        await interrupted.set(OFF)
    assert (interrupted.reads, await desk.stored()) == (TRIES_MAX, [])


@dataclass
class Dying:
    """A log whose answer is lost: the process, or its connection, dies before the append or after it."""

    desk: Desk
    before: bool

    async def append(self, request: AppendRequest) -> Any:
        """Stored or not, nobody is told."""
        if not self.before:
            await self.desk.log.append(request)
        raise LogUnavailable(request.stream, 15.0, "no answer")


@pytest.mark.parametrize(("before", "again"), [(True, 202), (False, 200)])
async def test_a_request_whose_answer_was_lost_is_sent_again_and_stored_once(
    desk: Desk, before: bool, again: int
) -> None:
    log, desk.state.log = desk.state.log, Dying(desk, before)  # type: ignore[assignment]
    lost = await desk.put(False, "closed")
    assert (lost.status_code, lost.json()["code"]) == (503, "TS-910")
    assert "send the same request again" in lost.json()["detail"]
    desk.state.log = log
    answer = await desk.put(False, "closed")
    assert (answer.status_code, answer.json()["enabled"]) == (again, False)
    assert len(await desk.stored()) == 1


async def test_before_the_log_is_there_nothing_is_accepted(desk: Desk) -> None:
    desk.state.log = None
    assert (await desk.put(False)).status_code == 503
    assert await desk.stored() == []

"""The key is asked before each call and told after it, however the call ends."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tool_sync.sync.asking import KeyHeld, Turn, ask
from tool_sync.sync.context import Context
from tool_sync.vapi.failures import VapiFailure
from tool_sync.vapi.rate_limit import CallLane
from zerotouch_contracts.errors import ErrorCode

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class HeardKey:
    held: datetime | None = None
    paused: datetime | None = None
    heard: list[str] = field(default_factory=list)
    lanes: list[CallLane] = field(default_factory=list)

    async def admit(self, now: datetime, lane: CallLane) -> datetime | None:
        self.heard.append("admit")
        self.lanes.append(lane)
        return self.held

    async def unused(self) -> None:
        self.heard.append("unused")

    async def note(self, answer: str, *_: object) -> datetime | None:
        self.heard.append(answer)
        return self.paused


class FakeContext:
    def __init__(self, key: HeardKey) -> None:
        self.key, self.clock = key, self
        self.now, self.jitter = lambda: NOW, lambda: 0.0


def asked(key: HeardKey, call: Any) -> Any:
    return ask(cast(Context, FakeContext(key)), call, Turn("save"))


async def answers() -> str:
    return "answer"


async def waits() -> None:
    await asyncio.Event().wait()


def failing(error: BaseException) -> Any:
    async def call() -> None:
        raise error

    return call


REFUSED = VapiFailure("refused", ErrorCode.VAPI_KEY_REFUSED, status=401)


async def test_an_answer_is_told() -> None:
    key = HeardKey()
    assert await asked(key, answers) == "answer"
    assert key.heard == ["admit", "answered"]


async def test_a_held_key_is_not_called_with() -> None:
    key = HeardKey(held=NOW)
    with pytest.raises(KeyHeld):
        await asked(key, failing(AssertionError("called")))
    assert key.heard == ["admit"]


@pytest.mark.parametrize(("paused", "raised"), [(None, VapiFailure), (NOW, KeyHeld)])
async def test_a_failure_is_told_and_may_pause_the_key(paused: datetime | None, raised: type[Exception]) -> None:
    key = HeardKey(paused=paused)
    with pytest.raises(raised):
        await asked(key, failing(REFUSED))
    assert key.heard == ["admit", "refused"]


async def test_a_call_that_is_cancelled_gives_its_request_back() -> None:
    key = HeardKey()
    task = asyncio.create_task(asked(key, waits))
    await asyncio.sleep(0)  # it has been admitted and waits for its answer
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert key.heard == ["admit", "unused"]


async def test_an_answer_that_cannot_be_read_gives_its_request_back() -> None:
    key = HeardKey()
    with pytest.raises(KeyError):
        await asked(key, failing(KeyError("id")))
    assert key.heard == ["admit", "unused"]


async def test_the_first_call_of_bulk_work_waits_for_the_pace_and_those_that_follow_go_on() -> None:
    key, turn = HeardKey(), Turn("bulk")
    context = cast(Context, FakeContext(key))
    key.held = NOW
    with pytest.raises(KeyHeld):
        await ask(context, answers, turn)
    key.held = None
    for _ in range(2):
        await ask(context, answers, turn)
    assert key.lanes == ["bulk", "bulk", "begun"], "what was held has not begun"

    key.lanes.clear()
    save = Turn("save")
    for _ in range(2):
        await ask(context, answers, save)
    assert key.lanes == ["save", "save"]

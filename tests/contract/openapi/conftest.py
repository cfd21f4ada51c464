"""The services of the leak matrix, with clinics in them, on ports of their own."""

from typing import Any

import pytest
from tests.leaks.conftest import assistant_api, tool_sync, vapi

from tool_sync.http import stream
from tool_sync.outcomes.feed import Tail

__all__ = ["assistant_api", "tool_sync", "vapi"]


@pytest.fixture(autouse=True)
def nobody_waits_long_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long poll may last half a minute and a stream a quarter of an hour, and a generator asks for all of it."""
    beyond = Tail.beyond

    async def soon(self: Tail, *what: Any, seconds: float, **more: Any) -> bool:
        return await beyond(self, *what, seconds=min(seconds, 0.1), **more)

    monkeypatch.setattr(Tail, "beyond", soon)
    monkeypatch.setattr(stream, "STREAM_SECONDS_MAX", 0.5)

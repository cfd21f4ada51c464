"""Points at which a process kills or stops itself, once: the file ``CHECKER_TRAP_FILE`` says that it has happened.

A good service survives each of them; some mutants only show there.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.checker.selftest.ports import port, put

STARTS_TOGETHER: Final = 3
"""So many announced registrations wait for each other before the process stops."""


def kill_before_append() -> None:
    """The process dies with a batch that holds a save in hand, before anything of it is stored."""
    from tool_sync.intake.intake import Intake

    original = port(Intake, "_store")

    async def store(self: Any, mapped: Any) -> None:
        if any(
            getattr(item, "request", None) and item.request.events[0].event.__class__.__name__ == "SyncRequested"
            for item in mapped
        ):
            _once(signal.SIGKILL)
        await original(self, mapped)

    put(Intake, "_store", store)


def kill_before_publish() -> None:
    """The process dies with a page of outcomes in hand, before anything of it is sent."""
    from tool_sync.outcomes.published import OUTCOMES
    from tool_sync.outcomes.relay.relay import Relay

    original = port(Relay, "_publish")

    async def publish(self: Any, page: Any, producer: Any) -> None:
        if page.events and self._published is OUTCOMES:
            _once(signal.SIGKILL)
        await original(self, page, producer)

    put(Relay, "_publish", publish)


def kill_before_confirmed() -> None:
    """assistant-api dies with a page of its outbox in hand, before anything of it is sent."""
    from assistant_api.relay.loop import Relay

    original = port(Relay, "_send")

    async def send(self: Any, producer: Any, rows: Any) -> None:
        if any("AssistantSaved" in str(row.type) for row in rows):
            _once(signal.SIGKILL)
        await original(self, producer, rows)

    put(Relay, "_send", send)


def kill_after_call() -> None:
    """The process dies when a tool has been made and nobody has written that down."""
    from tool_sync.vapi.client import VapiClient

    original = port(VapiClient, "create_tool")

    async def create_tool(self: Any, payload: Any) -> Any:
        answer = await original(self, payload)
        _once(signal.SIGKILL)
        return answer

    put(VapiClient, "create_tool", create_tool)


def stop_before_sending() -> None:
    """The process is stopped when several registrations are announced and none is sent."""
    from tool_sync.domain.events import ToolRegistrationStarted
    from tool_sync.log import EventLog

    original = port(EventLog, "append")
    arrived, together = 0, asyncio.Event()

    async def append(self: Any, request: Any) -> Any:
        nonlocal arrived
        result = await original(self, request)
        if not _sprung() and any(isinstance(item.event, ToolRegistrationStarted) for item in request.events):
            arrived += 1
            if arrived == STARTS_TOGETHER:
                together.set()
                _once(signal.SIGSTOP)
            # Without a time limit: it would run out in the very pause that this is about.
            await together.wait()
        return result

    put(EventLog, "append", append)


TRAPS: Final[Mapping[str, Callable[[], None]]] = {
    trap.__name__: trap
    for trap in (kill_before_append, kill_before_publish, kill_before_confirmed, kill_after_call, stop_before_sending)
}


def _sprung() -> bool:
    return Path(os.environ["CHECKER_TRAP_FILE"]).exists()


def _once(number: signal.Signals) -> None:
    if not _sprung():
        Path(os.environ["CHECKER_TRAP_FILE"]).touch()
        os.kill(os.getpid(), number)

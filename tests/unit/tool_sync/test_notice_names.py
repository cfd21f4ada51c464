"""A host of a stranger's that nobody answers for holds up no other name, and not the end of the process."""

import asyncio
import time
from socket import AF_INET
from threading import Event
from typing import Any

import pytest

from tool_sync.notices.names import Names
from tool_sync.publishing import resolving

FOUND = [(AF_INET, 1, 6, "", ("93.184.216.34", 0))]


async def test_the_addresses_of_a_host() -> None:
    asked = []

    def ask(host: str, port: int, family: int) -> list[Any]:
        asked.append((host, port))
        return FOUND

    found = await Names(1, ask).resolve("hooks.example", 443)
    assert [(one["hostname"], one["host"], one["port"]) for one in found] == [("hooks.example", "93.184.216.34", 443)]
    assert [str(one) for one in await Names(1, ask).addresses("hooks.example")] == ["93.184.216.34"]
    assert asked == [("hooks.example", 443), ("hooks.example", 0)]


@pytest.mark.parametrize(("error", "says"), [(OSError("nobody"), "nobody"), (UnicodeError("label"), "has no name")])
async def test_who_is_not_known_is_an_error_and_the_place_is_free_again(error: Exception, says: str) -> None:
    def ask(*_: object) -> list[Any]:
        raise error

    asking = Names(1, ask)
    for _ in range(3):
        with pytest.raises(OSError, match=says):
            await asking.resolve("hooks.example")


async def test_a_name_that_is_never_answered_keeps_its_place_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "RESOLVE_SECONDS_MAX", 0.1)
    answered = Event()

    def ask(host: str, port: int, family: int) -> list[Any]:
        if host == "slow.example":
            answered.wait(10)
        return FOUND

    asking = Names(2, ask)
    with pytest.raises(TimeoutError):
        await asking.resolve("slow.example")
    began = time.monotonic()
    assert await asking.resolve("quick.example")
    await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)  # what everything else asks
    assert time.monotonic() - began < 0.5
    with pytest.raises(TimeoutError):
        await asking.resolve("slow.example")
    with pytest.raises(TimeoutError):
        await asking.resolve("quick.example")  # both places are taken by threads that wait
    answered.set()
    await asyncio.sleep(0.1)
    assert await asking.resolve("quick.example")

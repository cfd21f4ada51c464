"""Requests that come together: they begin in several turns of the loop, in their order, and health before them."""

import asyncio
from typing import Any

from tests.unit.platform.test_connections import GET, answer, served

from zerotouch_platform.connections import ConnectionLimits
from zerotouch_platform.server import BEGUN_AT_ONCE, Beginnings

TOGETHER = 10 * BEGUN_AT_ONCE


async def test_so_many_begin_in_one_turn_of_the_loop_and_all_begin_in_their_order() -> None:
    beginnings, begun, in_turn = Beginnings(), list[int](), list[int]()

    async def one(number: int) -> None:
        await beginnings.turn()
        begun.append(number)

    requests = [asyncio.create_task(one(number)) for number in range(TOGETHER)]
    before = 0
    while not all(request.done() for request in requests):
        await asyncio.sleep(0)
        in_turn.append(len(begun) - before)
        before = len(begun)
    assert begun == sorted(begun)
    assert max(in_turn) == BEGUN_AT_ONCE

    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.gather(*(one(number) for number in range(BEGUN_AT_ONCE)))  # room again, for all at once


async def test_who_leaves_while_waiting_takes_nobodys_place() -> None:
    beginnings = Beginnings()
    requests = [asyncio.create_task(beginnings.turn()) for _ in range(TOGETHER)]
    await asyncio.sleep(0)
    for request in requests[BEGUN_AT_ONCE:-1]:
        request.cancel()
    async with asyncio.timeout(10):
        await requests[-1]


async def test_health_is_answered_before_hundreds_that_came_first_have_begun() -> None:
    begun, at_health = 0, TOGETHER

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        nonlocal begun, at_health
        if scope["path"] == "/livez":
            at_health = begun
        else:
            begun += 1
        await answer(send, b"")

    async with served(app, ConnectionLimits()) as dial:
        writers = [(await dial())[1] for _ in range(TOGETHER)]
        reader, writer = await dial()
        for one in writers:
            one.write(GET)
        writer.write(GET.replace(b"GET /", b"GET /livez"))
        assert b"200" in await reader.readline()
        for one in (*writers, writer):
            one.close()
    assert at_health <= 3 * BEGUN_AT_ONCE

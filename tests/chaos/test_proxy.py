"""What each mode of the proxy does to a connection, seen from both of its ends."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tests.faults.proxy import HOST, BlackHole, CutAfter, Delay, Pass, Proxy, Refuse
from tests.support.eventually import until

ANSWER = b"0123456789"
PATIENCE_SECONDS = 5.0


@dataclass(slots=True)
class Server:
    """Answers every line with the same ten bytes, and remembers what it heard."""

    heard: list[bytes] = field(default_factory=list)
    half_closed: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.heard.append(line)
                writer.write(ANSWER)
                await writer.drain()
            self.half_closed += 1
            writer.write(b"goodbye")
            writer.close()
        except ConnectionResetError:
            return


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[Proxy, Server]]:
    server = Server()
    async with (
        await asyncio.start_server(server.serve, HOST, 0) as listening,
        Proxy("test", listening.sockets[0].getsockname()[1]) as proxy,
    ):
        yield proxy, server


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, length: int = len(ANSWER)) -> bytes:
    writer.write(b"question\n")
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await reader.readexactly(length)


async def test_what_passes_is_not_changed_and_a_half_closed_connection_stays_half_open() -> None:
    async with proxied() as (proxy, server):
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        assert await ask(reader, writer) == ANSWER
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.read() == b"goodbye"
        assert server.half_closed == 1


async def test_a_delay_counts_each_way() -> None:
    async with proxied() as (proxy, _):
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        proxy.mode = Delay(0.1)
        began = time.monotonic()
        assert await ask(reader, writer) == ANSWER
        assert time.monotonic() - began >= 0.2
        writer.close()


async def test_what_a_black_hole_swallows_never_arrives_and_its_connection_is_reset_when_it_ends() -> None:
    async with proxied() as (proxy, server):
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        assert await ask(reader, writer) == ANSWER
        proxy.mode = BlackHole()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await ask(reader, writer)
        proxy.mode = Pass()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        assert await ask(reader, writer) == ANSWER
        assert server.heard == [b"question\n"] * 2
        writer.close()


async def test_where_only_answers_are_lost_the_request_arrives() -> None:
    async with proxied() as (proxy, server):
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        proxy.mode = BlackHole(answers=True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await ask(reader, writer)
        assert server.heard == [b"question\n"]
        writer.close()


@pytest.mark.parametrize("length", range(len(ANSWER) + 1))
async def test_a_connection_is_cut_after_exactly_so_many_bytes_of_answers(length: int) -> None:
    async with proxied() as (proxy, server):
        proxy.mode = CutAfter(length, "fin")
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        writer.write(b"question\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.read() == ANSWER[:length]
        assert server.heard == [b"question\n"]


async def test_a_reset_is_a_reset_and_may_choose_its_connections() -> None:
    async with proxied() as (proxy, _):
        one = await asyncio.open_connection(HOST, proxy.port)
        other = await asyncio.open_connection(HOST, proxy.port)
        assert await ask(*one) == await ask(*other) == ANSWER
        assert proxy.reset(lambda _: False) == 0
        assert proxy.reset() == 2
        for reader, _ in (one, other):
            with pytest.raises(ConnectionResetError):
                await reader.read()
        assert proxy.connections == 0


async def test_refused_connections_are_reset_while_open_ones_work_on() -> None:
    async with proxied() as (proxy, _):
        open_one = await asyncio.open_connection(HOST, proxy.port)
        assert await ask(*open_one) == ANSWER
        proxy.mode = Refuse()
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await ask(reader, writer)
        assert await ask(*open_one) == ANSWER
        open_one[1].close()


async def test_a_server_that_is_away_resets_and_one_end_that_closes_closes_the_other() -> None:
    async with proxied() as (proxy, _):
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        assert await ask(reader, writer) == ANSWER
        writer.close()

        async def none_left() -> bool:
            return proxy.connections == 0

        assert await until(none_left, PATIENCE_SECONDS)
    async with Proxy("to nobody", proxy.to_port) as orphan:
        reader, writer = await asyncio.open_connection(HOST, orphan.port)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await ask(reader, writer)

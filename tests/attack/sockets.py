"""Too much, too slowly, nothing at all, and answers that nobody takes; a neighbour is answered meanwhile."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from tests.attack.target import PORTS, Target
from tests.attack.verdict import Tried
from tests.attack.wire import PIECE_BYTES, Heard, exchange

SILENT: Final = 499
DRIPPING: Final = 100
UNREAD: Final = 40
ANSWERS: Final = 15
LONG: Final = {"assistant-api": "/api/agents/reception?orgId={}", "tool-sync": "/openapi.json"}
"""An answer of some 150 kB: the kernel does not keep as many as are asked for."""
PROBE_SECONDS: Final = 0.25
LIVE_SECONDS_MAX: Final = 2.0
"""On a machine that the attacks are on, too; `make bench` has the figure."""
HEAD_SECONDS_MAX: Final = 15.0
BODY_SECONDS_MAX: Final = 30.0
CHECK: Final = "head -c 60000000 /dev/zero | tr '\\0' a | nc -q5 localhost {}"
Wrong = Awaitable[list[str]]


async def tried(target: Target, service: str, *, quick: bool) -> Tried:
    """``quick`` leaves out what takes as long as a service waits for somebody."""
    at = target.at(service)
    attacks: list[Callable[[tuple[str, int]], Wrong]] = [_large, _silent]
    attacks += [] if quick else [_slow_head, _slow_body, partial(_unread, asked=_asked_for(target, service))]
    late: list[float] = []
    async with _probing(at, late):
        found = [wrong for each in await asyncio.gather(*(attack(at) for attack in attacks)) for wrong in each]
        found += await _neighbours_save(target)
    worst = max(late, default=float("inf"))
    if worst > LIVE_SECONDS_MAX:
        found.append(f"/livez took {worst:.2f} s of a neighbour")
    what = f"large, slow and silent sockets, {service}"
    return Tried("sockets", what, len(attacks) + 2, found, CHECK.format(PORTS[service]))


@asynccontextmanager
async def _probing(at: tuple[str, int], seconds: list[float]) -> AsyncIterator[None]:
    async def probe() -> None:
        while True:
            began = time.monotonic()
            heard = await exchange(
                at, b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", within_seconds=10
            )
            seconds.append(time.monotonic() - began if heard.status == 200 else float("inf"))
            await asyncio.sleep(PROBE_SECONDS)

    probing = asyncio.create_task(probe())
    try:
        yield
    finally:
        probing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await probing


async def _neighbours_save(target: Target) -> list[str]:
    answer = await target.http["assistant-api"].post(
        "/api/assistants/sync",
        json={"agentId": target.neighbour.agent_id},
        headers={"Authorization": f"Bearer {target.token_of(target.neighbour)}"},
    )
    return [] if answer.status_code in (200, 202) else [f"a neighbour's save answers {answer.status_code}"]


async def _large(at: tuple[str, int]) -> list[str]:
    start = b"GET /livez HTTP/1.1\r\nhost: a\r\n"
    heads = {
        "a header of 60 MB": ([start + b"x: ", *[b"a" * PIECE_BYTES] * 915, b"\r\n\r\n"], 431),
        "a URL of 30 MB": ([b"GET /livez?", *[b"a" * PIECE_BYTES] * 458, b" HTTP/1.1\r\nhost: a\r\n\r\n"], 414),
        "a million headers": ([start, *[b"x: 1\r\n" * 10_000] * 100, b"\r\n"], 431),
        "1,000 requests in one piece": ([(start + b"\r\n") * 1000], 400),
    }
    found = []
    for name, (parts, status) in heads.items():
        heard = await exchange(at, *parts, within_seconds=10)
        if status not in heard.statuses or not heard.closed:
            found.append(f"{name}: answers {list(heard.statuses)[-3:]}, not {status}")
    return found


async def _silent(at: tuple[str, int]) -> list[str]:
    """They are ended when no head has come in time; until then, they shut nobody out."""
    ended = await asyncio.gather(*(exchange(at, within_seconds=HEAD_SECONDS_MAX) for _ in range(SILENT)))
    kept = sum(not heard.closed for heard in ended)
    return [f"{kept} of {SILENT} silent connections are kept"] if kept else []


async def _slow_head(at: tuple[str, int]) -> list[str]:
    head = b"GET /livez HTTP/1.1\r\nhost: a\r\nx: "
    return _ended("a head of one byte in half a second", await _dripped(at, head, HEAD_SECONDS_MAX))


async def _slow_body(at: tuple[str, int]) -> list[str]:
    head = b"POST /api/vapi/tool-calls HTTP/1.1\r\nhost: a\r\ncontent-length: 5000\r\n\r\n"
    return _ended("a body of one byte in half a second", await _dripped(at, head, BODY_SECONDS_MAX))


async def _dripped(at: tuple[str, int], head: bytes, seconds: float) -> list[Heard]:
    bytes_sent = [b"a"] * int(seconds * 2)
    dripping = (exchange(at, head, *bytes_sent, pause_seconds=0.5, within_seconds=seconds) for _ in range(DRIPPING))
    return await asyncio.gather(*dripping)


def _ended(name: str, heard: list[Heard]) -> list[str]:
    kept = sum(not each.closed for each in heard)
    return [f"{name}: {kept} of {len(heard)} are kept"] if kept else []


def _asked_for(target: Target, service: str) -> bytes:
    head = [f"GET {LONG[service].format(target.mine.org_id)} HTTP/1.1", "host: a"]
    head += [f"{name}: {value}" for name, value in target.platform.items()]
    return "\r\n".join([*head, "", ""]).encode()


async def _unread(at: tuple[str, int], asked: bytes) -> list[str]:
    """Long answers are asked for, again and again in one connection, and not read. They must not be there any more."""
    loop, sockets = asyncio.get_running_loop(), [socket.socket() for _ in range(UNREAD)]
    try:
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.setblocking(False)
            await loop.sock_connect(each, at)
            await loop.sock_sendall(each, asked * ANSWERS)
        await asyncio.sleep(HEAD_SECONDS_MAX)
        kept = sum(await asyncio.gather(*map(_is_whole, sockets)))
    finally:
        for each in sockets:
            each.close()
    return [f"answers that nobody takes: those of {kept} of {UNREAD} connections were kept"] if kept else []


async def _is_whole(one: socket.socket) -> bool:
    """Whether all the answers are still to be had, or the connection stays open without them."""
    text = bytearray()
    try:
        async with asyncio.timeout(5):
            while piece := await asyncio.get_running_loop().sock_recv(one, 65_536):
                text += piece
    except TimeoutError:
        return True
    except OSError:
        pass
    return text.count(b"HTTP/1.1 200") == ANSWERS

"""``python -m benchmarks.noisy_attacker``: one clinic's token doing its worst, with half a core at most.

The first line of standard input says where and with which token; it goes on until standard input ends, and then prints
one JSON object: what it was answered, and its share of a core. Everything at once:

    requests   reads of both services, as fast as its half core makes them
    saves      new agents and changed ones: halves of our markers around each other, 30 kB, nested JSON
    auto-syncs of all its agents, and of one
    bodies     that are dear to parse
    waiting    streams that it does not read, and long polls, more than it may have
    pages      the longest there are, asked for and not read
    sockets    1,000 that say nothing, or a byte every two seconds
"""

import asyncio
import contextlib
import itertools
import json
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import uvloop

CORE_SHARE: Final = 0.5
LOOK_SECONDS: Final = 0.02
SOCKETS: Final = 500
"""Of each service."""
READERS: Final = 16
SAVERS: Final = 8
WAITING: Final = 30
UNREAD: Final = 100
ANSWER_SECONDS_MAX: Final = 60.0
_LONG: Final = 30_000


@dataclass(frozen=True, slots=True)
class Orders:
    """The first line of standard input."""

    assistant_api: str
    tool_sync: str
    token: str
    org_id: str
    kinds: Sequence[str] = ()
    """Of what is above; none are all."""


@dataclass(slots=True)
class HalfACore:
    """Whoever wants to do something waits until this process has used no more than its share since it began."""

    began: float = field(default_factory=time.monotonic)
    _within: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def share(self) -> float:
        """CPU seconds, user and system, of each second so far."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return (used.ru_utime + used.ru_stime) / max(time.monotonic() - self.began, 0.001)

    async def watch(self) -> None:
        """Open and close the gate for all: a thousand that look themselves use up a core by looking."""
        while True:
            if self.share > CORE_SHARE:
                self._within.clear()
            else:
                self._within.set()
            await asyncio.sleep(LOOK_SECONDS)

    async def turn(self) -> None:
        """Return when there is some of it left."""
        await asyncio.sleep(0)
        await self._within.wait()


@dataclass(slots=True)
class Attack:
    """All that goes on. ``told`` counts answers by what was asked and by status."""

    orders: Orders
    http: aiohttp.ClientSession
    budget: HalfACore
    told: Counter[str] = field(default_factory=Counter)

    async def ask(self, kind: str, method: str, url: str, body: bytes | None = None) -> None:
        """One request, whose answer is read."""
        await self.budget.turn()
        try:
            async with self.http.request(method, url, data=body) as answer:
                await answer.read()
            self.told[f"{kind} {answer.status}"] += 1
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.told[f"{kind} {type(error).__name__}"] += 1

    async def read(self) -> None:
        """Reads, one after another."""
        api, sync, org = self.orders.assistant_api, self.orders.tool_sync, self.orders.org_id
        tool = f"{sync}/v1/orgs/{org}/tools/bookClinicAppointment"
        urls = (
            f"{api}/api/agents?limit=200", f"{sync}/v1/orgs/{org}/tools", f"{sync}/v1/orgs/{org}/history?limit=500",
            f"{tool}/why", f"{api}/api/agents/none", f"{sync}/v1/assistants", f"{sync}/v1/events?limit=1000",
            f"{api}/api/access", f"{sync}/v1/orgs/{org}/wanted", f"{api}/nothing",
        )  # fmt: skip
        for url in itertools.cycle(urls):
            await self.ask("read", "GET", url)

    async def save(self, number: int) -> None:
        """Agents with the prompts that are dearest to look at."""
        for count, prompt in zip(itertools.count(), itertools.cycle(prompts()), strict=False):
            agent = {"id": f"agent-{number}-{count % 20}", "name": "Reception", "systemPrompt": prompt}
            await self.ask("save", "POST", f"{self.orders.assistant_api}/api/agents", json.dumps(agent).encode())
            change = json.dumps(
                {"systemPrompt": f"{count} {prompt}"[:40_000], **(nested() if count % 4 == 0 else {})}
            ).encode()
            await self.ask("save", "PATCH", f"{self.orders.assistant_api}/api/agents/{agent['id']}", change)

    async def auto_sync(self) -> None:
        """All of its agents, and one of them, again and again."""
        url = f"{self.orders.assistant_api}/api/assistants"
        for _ in itertools.count():
            await self.ask("auto-sync", "POST", f"{url}/auto-sync", b"{}")
            await self.ask("auto-sync", "POST", f"{url}/sync", b'{"agentId": "agent-0-0"}')

    async def nest(self) -> None:
        """Bodies that are dear to parse."""
        bodies = (b"[" * 100_000, b'{"a":' * 50_000, b"[1," * 90_000, b"[" + b"{}," * 100_000, b"9" * 200_000)
        for body in itertools.cycle(bodies):
            await self.ask("body", "POST", f"{self.orders.assistant_api}/api/agents", body)

    async def wait(self, number: int) -> None:
        """Streams and long polls; a refused one comes again."""
        stream, read = number % 2 == 0, 0
        while True:
            path = "/v1/events/stream" if stream else f"/v1/events?after={read}&wait=30"
            await self.budget.turn()
            try:
                async with self.http.get(f"{self.orders.tool_sync}{path}") as answer:
                    self.told[f"wait {answer.status}"] += 1
                    if answer.status == 200 and stream:
                        await asyncio.sleep(ANSWER_SECONDS_MAX)  # and nothing is read
                    elif answer.status == 200:
                        read = (await answer.json())["scanned_through"]
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self.told[f"wait {type(error).__name__}"] += 1
            await asyncio.sleep(0.2)

    async def leave_unread(self) -> None:
        """The longest pages, of which nothing is taken."""
        api = urlsplit(self.orders.assistant_api)
        head = f"GET /api/agents?limit=200 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {self.orders.token}\r\n\r\n"
        loop = asyncio.get_running_loop()
        while True:
            await self.budget.turn()
            with contextlib.closing(socket.socket()) as one, contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                one.setblocking(False)
                await loop.sock_connect(one, (api.hostname, api.port))
                await loop.sock_sendall(one, head.encode() * 4)
                self.told["unread"] += 1
                await asyncio.sleep(20)

    async def hold(self, url: str, number: int) -> None:
        """A socket that says nothing, or a byte in two seconds; closed ones come again."""
        at = urlsplit(url)
        while True:
            await self.budget.turn()
            with contextlib.suppress(OSError, RuntimeError):  # uvloop's, of a socket that was closed meanwhile
                reader, writer = await asyncio.open_connection(at.hostname, at.port)
                self.told["socket"] += 1
                with contextlib.closing(writer):
                    while not reader.at_eof():
                        if number % 2:
                            writer.write(b"G" if number % 4 == 1 else b"POST / HTTP/1.1\r\n")
                        await asyncio.sleep(2)
            await asyncio.sleep(1)

    def everything(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        """One for each that goes on at the same time, with its kind."""
        for _ in range(READERS):
            yield "requests", self.read
        for number in range(SAVERS):
            yield "saves", partial(self.save, number)
        for _ in range(2):
            yield "auto-syncs", self.auto_sync
            yield "bodies", self.nest
        for number in range(WAITING):
            yield "waiting", partial(self.wait, number)
        for _ in range(UNREAD):
            yield "pages", self.leave_unread
        for number in range(SOCKETS):
            for url in (self.orders.assistant_api, self.orders.tool_sync):
                yield "sockets", partial(self.hold, url, number)


def prompts() -> list[str]:
    """What our block's markers hate, and the longest that are taken."""
    begin, end = "<!-- zerotouch:tools -->", "<!-- /zerotouch:tools -->"
    return [
        (begin[:12] * 2500)[:_LONG],
        ((begin + end[:9]) * 1000)[:_LONG],
        "<!--" * (_LONG // 4),
        (begin * 600 + end * 600)[:_LONG],
        "\N{TELEPHONE RECEIVER}" * 40_000,
    ]


def nested() -> dict[str, object]:
    """A voice as deep as is taken here; Vapi refuses it."""
    voice: dict[str, object] = {"provider": "11labs", "voiceId": "sarah"}
    inner: dict[str, object] = {}
    for _ in range(25):
        inner = {"deeper": inner}
    return {"voice": {**voice, **inner}}


async def main() -> None:
    """Read the orders, go on until standard input ends, print what came of it."""
    loop = asyncio.get_running_loop()
    orders = Orders(**json.loads(await loop.run_in_executor(None, sys.stdin.readline)))
    async with _session(orders.token) as http:
        attack = Attack(orders, http, HalfACore())
        wanted = [one for kind, one in attack.everything() if not orders.kinds or kind in orders.kinds]
        tasks = [asyncio.ensure_future(one()) for one in (attack.budget.watch, *wanted)]
        await loop.run_in_executor(None, sys.stdin.read)
        for task in tasks:
            task.cancel()
        share = attack.budget.share
        done, _ = await asyncio.wait(tasks, timeout=10)
        broken = [repr(one.exception()) for one in done if not one.cancelled() and one.exception()]
    print(json.dumps({"share": share, "told": attack.told, "broken": broken[:5]}), flush=True)


@contextlib.asynccontextmanager
async def _session(token: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {token}"},
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX),
    ) as http:
        yield http


if __name__ == "__main__":
    uvloop.run(main())

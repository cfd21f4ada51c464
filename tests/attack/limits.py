"""More than a clinic may, and more than an address may without a good token, under every name that callers make up.

A bucket fills while it is emptied: what must not be exceeded is its size, and what came into it meanwhile.
"""

import asyncio
import itertools
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.attack.target import PORTS, Target, bearer
from tests.attack.verdict import Tried
from tests.attack.wire import exchange, request

SENDERS: Final = 8
PIPELINED: Final = 8
SECONDS: Final = 4.0
SECONDS_MAX: Final = 12.0
"""Where nothing is refused, as the machine is too slow for more than the limit."""
NOWHERE: Final = "/api/nothing"
"""Counted as any other request, and cheap for both."""
PATHS: Final = {"assistant-api": "/api/agents?limit=1", "tool-sync": "/v1/assistants?limit=1"}
SLACK: Final = 1.1
LIVE_SECONDS_MAX: Final = 2.0
_RETRY_AFTER: Final = re.compile(rb"\r\nretry-after: \d+(?=\r\n)", re.IGNORECASE)
_NAMES: Final = (
    "X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP", "Via",
    "X-Originating-IP", "X-Remote-Addr", "X-Cluster-Client-IP",
)  # fmt: skip
_TOKEN_RATE, _TOKEN_BURST = 50.0, 500
_ADDRESS_RATE, _ADDRESS_BURST = 20.0, 200
CHECK: Final = 'curl -sI "localhost:{}/v1/tools?n=[1-999]" | grep HTTP | sort | uniq -c'


@dataclass(slots=True)
class Flood:
    """What was answered. ``bare``: refusals that do not say when to come again."""

    statuses: Counter[int] = field(default_factory=Counter)
    bare: int = 0
    seconds: float = 0.0

    @property
    def admitted(self) -> int:
        """Requests that were let past the limit, whatever became of them."""
        return sum(self.statuses.values()) - self.statuses[429]


async def tried(target: Target, service: str, *, quick: bool) -> Tried:
    """One clinic's token, as fast as a few connections carry; then an address without any.

    ``quick`` leaves the address out: nobody on this machine shows a bad token for ten seconds after it.
    """
    disguises = itertools.cycle(_NAMES)
    tokens = itertools.cycle([target.token_of(target.mine) for _ in range(3)])  # a new token is no new holder

    def clinics() -> dict[str, str]:
        return {**bearer(next(tokens)), next(disguises): _some_address(), "User-Agent": _some_address()}

    def strangers() -> dict[str, str]:
        return {**bearer(f"e30.e30.{next(_numbers)}"), next(disguises): _some_address()}

    found = []
    floods = [("a clinic's token", clinics, _TOKEN_RATE, _TOKEN_BURST)]
    floods += [] if quick else [("an address", strangers, _ADDRESS_RATE, _ADDRESS_BURST)]
    for who, make, rate, burst in floods:
        flood, late, neighbours = await _flooded(target, service, make)
        allowed = (burst + rate * flood.seconds) * SLACK
        if flood.admitted > allowed:
            found.append(f"{who}: {flood.admitted} answered in {flood.seconds:.1f} s, {allowed:.0f} allowed")
        if not flood.statuses[429]:
            found.append(f"{who}: nothing was refused of {flood.statuses}")
        if flood.bare:
            found.append(f"{who}: {flood.bare} of 429 without Retry-After")
        if late > LIVE_SECONDS_MAX:
            found.append(f"{who}: /livez took {late:.2f} s")
        if neighbours:
            found.append(f"{who}: a neighbour was answered {neighbours}")
    return Tried(
        "limits", f"floods under made-up names, {service}", 5 * len(floods), found, CHECK.format(PORTS[service])
    )


async def _flooded(target: Target, service: str, make: Callable[[], dict[str, str]]) -> tuple[Flood, float, list[int]]:
    """The flood, the slowest /livez meanwhile, and what a neighbour was told that is no 200."""
    http, flood, neighbour = target.http[service], Flood(), bearer(target.token_of(target.neighbour))
    at = target.at(service)
    # Who was let in a moment ago is not held up by what strangers do at the same address: here, all have one.
    await http.get(PATHS[service], headers=neighbour)
    began = time.monotonic()

    def goes_on() -> bool:
        lasted = time.monotonic() - began
        return lasted < SECONDS or (not flood.statuses[429] and lasted < SECONDS_MAX)

    async def send() -> None:
        while goes_on():
            piece = [request("GET", NOWHERE, make()) for _ in range(PIPELINED)]
            raw = b"".join(piece[:-1]).replace(b"connection: close\r\n", b"") + piece[-1]
            heard = await exchange(at, raw, within_seconds=10)
            flood.statuses.update(heard.statuses)
            flood.bare += heard.statuses.count(429) - len(_RETRY_AFTER.findall(heard.text))

    async def beside() -> tuple[float, list[int]]:
        late, told = 0.0, []
        while goes_on():
            asked = time.monotonic()
            live = await http.get("/livez")
            late = max(late, time.monotonic() - asked if live.status_code == 200 else float("inf"))
            answer = await http.get(PATHS[service], headers=neighbour)
            told += [answer.status_code] if answer.status_code != 200 else []
            await asyncio.sleep(0.1)
        return late, told

    (late, told), _ = await asyncio.gather(beside(), asyncio.gather(*(send() for _ in range(SENDERS))))
    flood.seconds = time.monotonic() - began
    return flood, late, told


_numbers: Final = itertools.count()


def _some_address() -> str:
    number = next(_numbers)
    return f"203.0.{number // 256 % 256}.{number % 256}"

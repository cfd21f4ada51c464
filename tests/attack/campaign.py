"""All parts, one after another, as what one of them uses up the next one needs; each at both services at a time."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Final

import httpx
from tests.attack import framing, inputs, limits, records, sockets, tokens, webhook
from tests.attack.target import ANSWER_SECONDS_MAX, SERVICES, Stack, Target
from tests.attack.verdict import Tried

NAMES: Final = ("inputs", "framing", "tokens", "webhook", "sockets", "limits", "log")
SECONDS_MAX: Final = 110.0
"""Of the parts; then the clinics are deleted."""
CONNECTIONS_MAX: Final = 50


async def attack(stack: Stack, names: Collection[str], *, quick: bool) -> tuple[Sequence[Tried], float]:
    """The rows, and how long it took. Raises `NotAttackable` and, after :data:`SECONDS_MAX`, ``TimeoutError``."""
    began = time.monotonic()
    async with AsyncExitStack() as exits:
        limit = httpx.Limits(max_connections=CONNECTIONS_MAX)
        http = {
            service: await exits.enter_async_context(
                httpx.AsyncClient(base_url=url, timeout=ANSWER_SECONDS_MAX, limits=limit, trust_env=False)
            )
            for service, url in stack.urls.items()
        }
        target = await Target.opened(stack, http)
        exits.push_async_callback(target.closed)
        async with asyncio.timeout(SECONDS_MAX):
            rows = [replace(row, check=target.here(row.check)) async for row in _rows(target, names, quick=quick)]
    return rows, time.monotonic() - began


async def _rows(target: Target, names: Collection[str], *, quick: bool) -> AsyncIterator[Tried]:
    at_each: dict[str, Callable[[str], Awaitable[Tried]]] = {
        "inputs": partial(inputs.tried, target),
        "framing": partial(framing.tried, target),
        "tokens": partial(tokens.tried, target),
        "sockets": partial(sockets.tried, target, quick=quick),
        "limits": partial(limits.tried, target, quick=quick),
    }
    once: dict[str, Sequence[Callable[[Target], Awaitable[Tried]]]] = {
        "tokens": (tokens.foreign,),
        "webhook": (webhook.tried,),
        "log": (records.canaries, records.heads),
    }
    for name in NAMES:
        if name not in names:
            continue
        if name in at_each:
            for row in await asyncio.gather(*(_row(name, at_each[name](service)) for service in SERVICES)):
                yield row
        for part in once.get(name, ()):
            yield await _row(name, part(target))


async def _row(part: str, tried: Awaitable[Tried]) -> Tried:
    """A service that is not there any more has not held."""
    try:
        return await tried
    except (httpx.TransportError, OSError) as error:
        return Tried(part, part, 1, [f"{type(error).__name__}: {error}"], ".venv/bin/devstack status")

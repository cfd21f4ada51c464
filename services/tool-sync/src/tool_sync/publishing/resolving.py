"""The addresses of a host, by this machine's name service. Its thread may outlive the wait; nothing depends on it."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from socket import SOCK_STREAM
from typing import Final

from tool_sync.publishing.addresses import Address

RESOLVE_SECONDS_MAX: Final = 5.0

Resolve = Callable[[str], Awaitable[tuple[Address, ...]]]


async def resolve(host: str) -> tuple[Address, ...]:
    """Every address of the host; raises ``OSError`` (a ``TimeoutError`` is one) where there is no answer."""
    async with asyncio.timeout(RESOLVE_SECONDS_MAX):
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=SOCK_STREAM)
    # An IPv6 address may carry the interface's name: fe80::1%eth0.
    return tuple(dict.fromkeys(ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found))

"""Asks this machine's name service for the hosts of strangers, in threads that nothing else waits for.

A name whose server answers slowly holds a thread for as long as the machine's resolver is patient. In the threads that
everything shares, some of them would hold up Vapi's own name; and the end of a process would wait for them.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from threading import Thread
from typing import Any, Final

from tool_sync.publishing.addresses import Address

RESOLVE_SECONDS_MAX: Final = 5.0
THREADS_MAX: Final = 32

Ask = Callable[[str, int, int], list[Any]]
Resolve = Callable[[str], Awaitable[tuple[Address, ...]]]


def _addrinfo(host: str, port: int, family: int) -> list[Any]:
    return list(socket.getaddrinfo(host, port, family, socket.SOCK_STREAM))


class NameService:
    """``ask`` is ``getaddrinfo``, an argument so that tests can decide it. Waits for an answer for 5 s at most."""

    def __init__(self, threads_max: int = THREADS_MAX, ask: Ask = _addrinfo) -> None:
        self._places, self._ask = asyncio.Semaphore(threads_max), ask

    async def addresses(self, host: str) -> tuple[Address, ...]:
        """Every address of the host; raises ``OSError`` (a ``TimeoutError`` is one) where there is no answer."""
        found = await self.asked(host, 0, socket.AF_UNSPEC)
        return tuple(dict.fromkeys(ip_address(address_of(one)) for one in found))

    async def asked(self, host: str, port: int, family: int) -> list[Any]:
        """The same as ``getaddrinfo`` says it."""
        async with asyncio.timeout(RESOLVE_SECONDS_MAX):
            await self._places.acquire()
            return await self._begun(host, port, family)

    def _begun(self, host: str, port: int, family: int) -> "asyncio.Future[list[Any]]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Any]] = loop.create_future()

        def said(found: list[Any] | OSError) -> None:
            self._places.release()  # only now: a thread that nobody waits for is still one
            if answer.done():
                return
            if isinstance(found, OSError):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def ask() -> None:
            try:
                found: list[Any] | OSError = self._ask(host, port, family)
            except OSError as error:
                found = error
            except UnicodeError:
                found = OSError("the host has no name that could be asked for")
            if not loop.is_closed():
                loop.call_soon_threadsafe(said, found)

        Thread(target=ask, name="a stranger's name", daemon=True).start()
        return answer


def address_of(found: Any) -> str:
    """Of one answer of ``getaddrinfo``. One of IPv6 may carry the interface's name: fe80::1%eth0."""
    return str(found[4][0]).partition("%")[0]


resolve: Final[Resolve] = NameService().addresses
"""What the rules of a tool's address ask."""

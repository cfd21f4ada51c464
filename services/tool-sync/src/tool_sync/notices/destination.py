"""Where notices may go: the rules of a tool's URL, asked when it is set, and of each address when it is connected to.

A name that was public when it was set may lead to our own network a second later. So the address that was judged is the
one that is connected to; nothing is redirected, and no proxy of the environment stands in between.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from socket import AF_UNSPEC, AddressFamily
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

from tool_sync.notices.names import Names
from tool_sync.publishing.addresses import is_loopback, why_not_public
from tool_sync.publishing.lint import server_problems
from tool_sync.publishing.resolving import Resolve
from tool_sync.publishing.server_url import read_server_url

PROBLEMS_SHOWN: Final = 5


class NotPublic(OSError):
    """The host's name leads to an address that is nobody's on the internet; the message names its kind alone."""


class PublicResolver(AbstractResolver):
    """Gives out addresses of a host only where all of them are public (or, where that is allowed, loopback)."""

    def __init__(self, *, loopback_allowed: bool, resolver: AbstractResolver | None = None) -> None:
        self._loopback_allowed, self._resolver = loopback_allowed, resolver or Names()

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_UNSPEC) -> list[ResolveResult]:
        """Raises :class:`NotPublic`, and what the resolver raises."""
        found = await self._resolver.resolve(host, port, family)
        if (kind := self._problem(found)) is not None:
            raise NotPublic(f"the host leads to an address that is {kind}")
        return found

    async def close(self) -> None:
        """Close the resolver that is asked."""
        await self._resolver.close()

    def _problem(self, found: Sequence[Any]) -> str | None:
        addresses = [ip_address(str(one["host"]).partition("%")[0]) for one in found]
        if self._loopback_allowed and all(map(is_loopback, addresses)):
            return None
        return next((kind for address in addresses if (kind := why_not_public(address)) is not None), None)


async def url_problems(url: str, resolve: Resolve, *, loopback_allowed: bool) -> list[str]:
    """What is wrong with a URL for notices, a sentence each."""
    found = await server_problems(url, resolve, loopback_allowed=loopback_allowed)
    return [f"url: {one.what}; {one.instead}" for one in found[:PROBLEMS_SHOWN]]


async def unasked(_host: str) -> tuple[()]:
    """A name is judged when it is connected to."""
    return ()


async def address_problem(url: str, *, loopback_allowed: bool) -> str | None:
    """What is wrong with a URL that names an address, which no resolver is asked for; None also where it names none."""
    read = read_server_url(url)
    if read.host is not None and read.host.address is None and not read.problems:
        return None if read.host.encrypted or loopback_allowed else "it is not https"
    problems = await url_problems(url, unasked, loopback_allowed=loopback_allowed)
    return problems[0] if problems else None

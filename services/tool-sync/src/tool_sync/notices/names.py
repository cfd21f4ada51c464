"""The name service for a client of HTTP, which asks it at each connection."""

from socket import AF_UNSPEC, AI_NUMERICHOST, AI_NUMERICSERV, AddressFamily

from aiohttp.abc import AbstractResolver, ResolveResult

from tool_sync.publishing.resolving import NameService, address_of


class Names(NameService, AbstractResolver):
    """Raises what :meth:`NameService.addresses` does."""

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_UNSPEC) -> list[ResolveResult]:
        """Every address of the host."""
        flags = AI_NUMERICHOST | AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=address_of(one), port=port, family=one[0], proto=one[2], flags=flags)
            for one in await self.asked(host, port, family)
        ]

    async def close(self) -> None:
        """Nothing to close: threads end by themselves, and with the process."""

"""The dials of the sandbox that stands in for Vapi on this machine: break it for a minute, and heal it.

Only an address of this machine is ever asked, and no key is sent along. What breaks ends by itself: a process that dies
meanwhile leaves nothing broken.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import aiohttp
from pydantic_core import from_json, to_json

from zerotouch_platform.vapi.transport import Request, Transport

SECONDS_MAX: Final = 1.0
BYTES_MAX: Final = 256 * 1024
BROKEN_SECONDS: Final = 60
RULE: Final = "console"

BREAKS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "errors": {"kind": "status", "status": 500, "body": "json"},
        "limit": {"kind": "status", "status": 429, "body": "json"},
        "key": {"kind": "status", "status": 401, "body": "json"},
    }
)
"""What every request gets for a minute."""


class NoSandbox(Exception):
    """Nobody answers there as a sandbox does."""


class SandboxDials:
    """``base_url``: Vapi's, on this machine."""

    def __init__(self, base_url: str, transport: Transport) -> None:
        self._url, self._transport = f"{base_url}/__sandbox/dials", transport

    async def broken(self) -> int | None:
        """The status that every request gets because of :meth:`break_it`, None where none does. Raises
        :class:`NoSandbox`."""
        own = [rule for rule in (await self._asked("GET"))["rules"] if rule.get("name") == RULE]
        return own[0]["action"]["status"] if own else None

    async def break_it(self, how: str) -> None:
        """One of :data:`BREAKS`, for a minute. Raises :class:`NoSandbox`."""
        rule = {"name": RULE, "route": "*", "for_seconds": BROKEN_SECONDS, "action": BREAKS[how]}
        await self._asked("PATCH", {"rules": [rule, *await self._others()]})

    async def heal(self) -> None:
        """Take back what :meth:`break_it` did, and nothing else. Raises :class:`NoSandbox`."""
        await self._asked("PATCH", {"rules": await self._others()})

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    async def _others(self) -> list[Any]:
        return [rule for rule in (await self._asked("GET"))["rules"] if rule.get("name") != RULE]

    async def _asked(self, method: str, document: Any = None) -> dict[str, Any]:
        body = None if document is None else to_json(document)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                answer = await self._transport.send(
                    Request(method, self._url, {"content-type": "application/json"}, body), BYTES_MAX
                )
            found = from_json(answer.body or b"null") if answer.status == 200 else None
        except (aiohttp.ClientError, OSError, ValueError) as error:  # OSError: also that time is up
            raise NoSandbox(type(error).__name__) from error
        if not isinstance(found, dict) or not isinstance(found.get("rules"), list):
            raise NoSandbox(f"it answers {answer.status}, and not as a sandbox")
        return found

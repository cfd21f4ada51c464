"""A service of ours that is asked by another one: JSON by POST, with a bearer token and a deadline."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from pydantic_core import to_json

from zerotouch_platform.vapi.transport import Answer, Request, Transport

BODY_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer came; ``why`` is half a sentence for an operator."""

    why: str


class Peer:
    """``name`` is what operators read; ``token`` is of the role ``platform``."""

    def __init__(self, name: str, base_url: str, token: str, transport: Transport) -> None:
        self.name: Final = name
        self._base_url, self._token, self._transport = base_url.rstrip("/"), token, transport

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def post(
        self, path: str, document: Any, *, deadline_seconds: float, headers: Mapping[str, str] | None = None
    ) -> Answer | Silence:
        """What it answers, whatever the status; a redirect is an answer. Raises nothing that it is to blame for."""
        sent = {"authorization": f"Bearer {self._token}", "content-type": "application/json", **(headers or {})}
        request = Request("POST", self._base_url + path, sent, to_json(document))
        try:
            async with asyncio.timeout(deadline_seconds):
                return await self._transport.send(request, BODY_BYTES_MAX)
        except TimeoutError:
            return Silence(f"{self.name} did not answer within {deadline_seconds:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: an address that cannot be asked
            return Silence(f"{self.name} cannot be reached: {type(error).__name__}")

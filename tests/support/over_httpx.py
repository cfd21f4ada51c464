"""A way to Vapi over an httpx transport: a sandbox in the test's own process, or answers that a test makes up."""

import aiohttp
import httpx
from aiohttp.client_reqrep import ConnectionKey

from zerotouch_platform.vapi.answers import BodyTooLarge, read_body
from zerotouch_platform.vapi.transport import Answer, Request

_KEY = ConnectionKey("vapi", 443, True, True, None, None, None)


class OverHttpx:
    """A :class:`~zerotouch_platform.vapi.transport.Transport`, which raises aiohttp's errors for httpx's."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def send(self, request: Request, limit: int) -> Answer:
        """See the protocol."""
        sent = httpx.Request(request.method, request.url, headers=dict(request.headers), content=request.body)
        try:
            response = await self._inner.handle_async_request(sent)
        except httpx.ConnectError as error:
            raise aiohttp.ClientConnectorError(_KEY, OSError(111, "refused")) from error
        except httpx.TransportError as error:
            raise aiohttp.ServerDisconnectedError from error
        try:
            return Answer(response.status_code, response.headers, await read_body(response.aiter_bytes(), limit))
        except BodyTooLarge:
            return Answer(response.status_code, response.headers, None)
        except httpx.DecodingError:
            return Answer(response.status_code, response.headers, b"", packed_wrongly=True)
        finally:
            await response.aclose()

    async def close(self) -> None:
        """See the protocol."""
        await self._inner.aclose()

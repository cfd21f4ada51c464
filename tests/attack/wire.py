"""Raw sockets: bytes that no client of good manners would send, and what is answered to them."""

import asyncio
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")
PIECE_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Heard:
    """All that came back. ``closed``: the server ended the connection within the time."""

    text: bytes
    closed: bool

    @property
    def statuses(self) -> Sequence[int]:
        """Of each answer, in their order."""
        return [int(found) for found in _STATUS_LINE.findall(self.text)]

    @property
    def status(self) -> int:
        """Of the first answer; 0 without one."""
        return next(iter(self.statuses), 0)


async def exchange(
    at: tuple[str, int], *parts: bytes, within_seconds: float = 5.0, pause_seconds: float = 0.0
) -> Heard:
    """Send the parts and listen until the server closes. What it does not read any more is no fault."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(*at), within_seconds)
    except OSError:
        return Heard(b"", True)
    heard = bytearray()

    async def listen() -> bool:
        try:
            async with asyncio.timeout(within_seconds):
                while piece := await reader.read(PIECE_BYTES):
                    heard.extend(piece)
            return True
        except TimeoutError:
            return False
        except OSError:
            return True

    listening = asyncio.create_task(listen())
    with contextlib.suppress(OSError):
        for part in parts:
            for start in range(0, len(part), PIECE_BYTES):
                if listening.done():
                    break
                writer.write(part[start : start + PIECE_BYTES])
                await writer.drain()
                await asyncio.sleep(0)  # who waits for an answer meanwhile is in this process, too
            if pause_seconds:
                await asyncio.sleep(pause_seconds)
    closed = await listening
    writer.close()
    return Heard(bytes(heard), closed)


def request(method: str, target: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    """One request that ends its connection. ``target`` and ``headers`` are sent as they are, in Latin-1."""
    lines = [f"{method} {target} HTTP/1.1", "host: localhost", "connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [] if body is None else [f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")

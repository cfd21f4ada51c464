"""How long the answer of a route is, to the byte, head and body: asked with a key of a Vapi account of its own."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit


async def answer_bytes(base_url: str, key: str, method: str, path: str, body: dict[str, Any]) -> tuple[int, int, Any]:
    """Send a request; the length of the answer's head, of the whole answer, and its document."""
    place = urlsplit(base_url)
    content = json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: {place.netloc}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(head.encode() + content)
        answered = await reader.readuntil(b"\r\n\r\n")
        status, *lines = answered.decode().lower().split("\r\n")
        assert " 20" in status, answered
        [length] = [int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")]
        document = json.loads(await reader.readexactly(length))
    finally:
        writer.close()
    return len(answered), len(answered) + length, document

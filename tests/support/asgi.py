"""One request to an ASGI application, as uvicorn hands it over: bytes that no client of good manners would send."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message


@dataclass(slots=True)
class Answer:
    """What came back. ``failed``: what the application raised after or instead of it."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    failed: Exception | None = None


async def ask(
    app: ASGIApp,
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    *,
    stay_seconds: float = 0.0,
) -> Answer:
    """``target``: path and query as they are on the wire, in ASCII. ``headers``: Latin-1.

    ``stay_seconds``: how long a reader of a stream stays after the first of it.
    """
    path, _, query = target.partition("?")
    lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()]
    if body is not None:
        lines.append((b"content-length", str(len(body)).encode()))
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 3001),
        "client": ("127.0.0.1", 40000),
        "scheme": "http",
        "method": method,
        "root_path": "",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "headers": [(b"host", b"localhost"), *lines],
        "state": {},
    }
    answer, sent, begun = Answer(), False, asyncio.Event()

    async def receive() -> Message:
        nonlocal sent
        if sent:
            if stay_seconds:
                await begun.wait()
                await asyncio.sleep(stay_seconds)
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")
            begun.set()

    try:
        await app(scope, receive, send)
    except Exception as error:
        answer.failed = error
    return answer

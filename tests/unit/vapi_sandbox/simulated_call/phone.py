"""A sandbox whose webhooks go to an endpoint that the test holds in its hand."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from vapi_sandbox import DEFAULT_KEY, Clock, SandboxSettings, create_app
from vapi_sandbox.simulated_call.credential import Credential

from ..caller import KEYS, Caller, Time, caller, tool_body

URL = "https://clinic.test/tool-calls"

Reaction = httpx.Response | Exception | Callable[[httpx.Request], Awaitable[httpx.Response]]


@dataclass
class Endpoint:
    """The server that gets the webhooks. It answers `ok` to everything, after what a test has put into `reactions`."""

    requests: list[httpx.Request] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Take one webhook."""
        await request.aread()
        self.requests.append(request)
        reaction = self.reactions.pop(0) if self.reactions else approving(request)
        if isinstance(reaction, Exception):
            raise reaction
        return reaction if isinstance(reaction, httpx.Response) else await reaction(request)

    def messages(self) -> list[dict[str, Any]]:
        """Return the `message` of each webhook."""
        return [json.loads(request.content)["message"] for request in self.requests]


@dataclass
class Phone:
    """A sandbox and the endpoint of its webhooks; `waits` are the back-offs in seconds."""

    vapi: Caller
    endpoint: Endpoint
    waits: list[float]

    async def answered(self, *tool_calls: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """Simulate a call that must come up."""
        answer = await self.vapi.http.post("/__sandbox/calls", json={"toolCalls": tool_calls, **fields})
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def one(self, assistant: str, **fields: Any) -> dict[str, Any]:
        """Simulate a call with one use of `book`, and return what became of the tool call."""
        (entry,) = (await self.answered({"name": "book", "id": "call_1"}, assistantId=assistant, **fields))["toolCalls"]
        assert isinstance(entry, dict)
        return entry

    async def assistant(self, *tools: dict[str, Any], **fields: Any) -> str:
        """Create tools and an assistant that is linked to them; return its id."""
        ids = [(await self.vapi.create("/tool", tool))["id"] for tool in tools]
        model = {"provider": "openai", "model": "gpt-4o", "toolIds": ids}
        return str((await self.vapi.assistant(**{"model": model, **fields}))["id"])


def tool(name: str = "book", url: str | None = URL, *, is_async: bool = False, **server: Any) -> dict[str, Any]:
    """Return the body of a function tool with a server (without a URL: with none) and a static parameter."""
    body = {**tool_body(name, "org-1"), "async": is_async}
    return body if url is None else {**body, "server": {"url": url, **server}}


def results(*items: dict[str, Any], status: int = 200, **fields: Any) -> httpx.Response:
    """Return an answer of the endpoint with these results."""
    return httpx.Response(status, json={"results": items}, **fields)


def result(text: Any = "ok", id_: str = "call_1", name: str = "book", kind: str = "result") -> dict[str, Any]:
    """Return one result in the right shape."""
    return {"toolCallId": id_, "name": name, kind: text}


def approving(request: httpx.Request) -> httpx.Response:
    """Answer `ok` to every tool call of a webhook in its default shape."""
    calls = json.loads(request.content)["message"]["toolCallList"]
    return results(*(result("ok", call["id"], call.get("function", call).get("name", "book")) for call in calls))


def make_phone(time: Time, credential: Credential | None = None) -> Phone:
    """Return a phone over a sandbox of its own; waiting takes no time."""
    endpoint, waits = Endpoint(), list[float]()

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        time.pass_(seconds)

    clock = Clock(wall=lambda: time.seconds, monotonic=lambda: time.seconds, sleep=wait)
    settings = SandboxSettings(keys=KEYS, credential=credential)
    app = create_app(settings, clock, webhook_transport=httpx.MockTransport(endpoint))
    return Phone(caller(httpx.ASGITransport(app), DEFAULT_KEY), endpoint, waits)

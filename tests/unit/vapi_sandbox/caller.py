"""A sandbox in the test's own process, on a clock that only the test turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from vapi_sandbox import DEFAULT_KEY, DEFAULT_VAPI_ORG, Clock, SandboxSettings, create_app

OTHER_VAPI_ORG = "5a4db0c5-0000-4000-8000-000000000002"

KEYS = {DEFAULT_KEY: DEFAULT_VAPI_ORG, "second-key": DEFAULT_VAPI_ORG, "foreign-key": OTHER_VAPI_ORG}


@dataclass
class Time:
    """A wall clock and a monotonic clock that stand still until the test moves them."""

    seconds: float = 1_790_000_000.0

    def clock(self) -> Clock:
        """Return it as the sandbox wants it."""
        return Clock(wall=lambda: self.seconds, monotonic=lambda: self.seconds)

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds


@dataclass(frozen=True)
class Caller:
    """A client of the sandbox with one key, and shortcuts for what tests do most."""

    http: httpx.AsyncClient

    async def tool(self, name: str = "book", org: str = "org-1", **fields: Any) -> dict[str, Any]:
        """Create a tool with a marker."""
        return await self.create("/tool", {**tool_body(name, org), **fields})

    async def assistant(self, **fields: Any) -> dict[str, Any]:
        """Create an assistant with a model."""
        return await self.create("/assistant", {"model": {"provider": "openai", "model": "gpt-4o"}, **fields})

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST a body that must be accepted."""
        answer = await self.http.post(path, json=body)
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def problems(self, path: str, body: Any, method: str = "POST") -> list[str]:
        """Send a body that must be refused, and return the sentences."""
        answer = await self.http.request(method, path, json=body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"] == "Bad Request"
        assert answer.json()["statusCode"] == 400
        message: list[str] = answer.json()["message"]
        return message

    async def listed(self, path: str = "/tool", **query: Any) -> list[str]:
        """Return the ids of a list."""
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()]

    async def turn(self, **dials: Any) -> None:
        """Replace the dials."""
        answer = await self.http.put("/__sandbox/dials", json=dials)
        assert answer.status_code == 200, answer.text

    async def journal(self, **query: Any) -> list[dict[str, Any]]:
        """Return the journal's first page."""
        entries: list[dict[str, Any]] = (await self.http.get("/__sandbox/journal", params=query)).json()["entries"]
        return entries

    async def summary(self) -> dict[str, Any]:
        """Return the counters."""
        document: dict[str, Any] = (await self.http.get("/__sandbox/summary")).json()
        return document


def tool_body(name: str = "book", org: str = "org-1") -> dict[str, Any]:
    """Return the body of a function tool with a marker."""
    return {
        "type": "function",
        "function": {"name": name, "parameters": {"type": "object", "properties": {}}},
        "parameters": [{"key": "organization_id", "value": org}],
    }


def rule(route: str, kind: str, **fields: Any) -> dict[str, Any]:
    """Return a rule that fires once; `fields` named like a rule's own go there, the rest into the action."""
    names = ("match", "skip", "times", "probability", "name")
    own: dict[str, Any] = {name: fields.pop(name) for name in names if name in fields}
    return {"route": route, "times": 1, **own, "action": {"kind": kind, **fields}}


@pytest.fixture
def time() -> Time:
    """The clock of the sandbox."""
    return Time()


@pytest.fixture
async def transport(time: Time) -> httpx.ASGITransport:
    """A sandbox with two keys of one Vapi org and one key of another."""
    return httpx.ASGITransport(create_app(SandboxSettings(keys=KEYS), time.clock()))


def caller(transport: httpx.AsyncBaseTransport, key: str) -> Caller:
    """Return a client with a key."""
    headers = {"authorization": f"Bearer {key}"}
    return Caller(httpx.AsyncClient(transport=transport, base_url="http://sandbox", headers=headers))

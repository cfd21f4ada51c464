"""The main job once, as a clinic would have it: save an assistant over HTTP and wait for the outcome on Kafka.

clinic = await Clinic.create(stack, "Demo Clinic")
saved = await clinic.save_agent("test-agent-id")            # POST /api/agents
outcome = await outcomes.of(saved.request_id)               # ToolsSynced or ToolSyncFailed
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import httpx
from aiokafka import AIOKafkaConsumer

from devstack.stack import Stack
from zerotouch_contracts.envelope import from_record
from zerotouch_contracts.events import Outcome
from zerotouch_contracts.topics import OUTCOMES

OUTCOME_SECONDS_MAX = 30.0
READ_MILLISECONDS = 50


class WalkthroughFailed(Exception):
    """A step did not end as it should; the message says which and how."""


@dataclass(frozen=True, slots=True)
class Answer:
    """assistant-api's answer to a save or a sync; `sent_at` is on the monotonic clock, before the request was sent."""

    agent_id: str
    assistant_id: str | None
    request_id: UUID
    trace_id: str
    state: str
    sent_at: float


@dataclass(frozen=True, slots=True)
class Arrived:
    """An outcome read from Kafka, and when, on the monotonic clock."""

    outcome: Outcome
    trace_id: str | None
    at: float


class Outcomes:
    """Reads the outcomes topic from the moment it was opened."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._arrived: dict[UUID, Arrived] = {}

    async def of(self, request_id: UUID, within_seconds: float = OUTCOME_SECONDS_MAX) -> Arrived:
        """The outcome that names a request; raises :class:`WalkthroughFailed` where none comes in time."""
        until = time.monotonic() + within_seconds
        while request_id not in self._arrived:
            if time.monotonic() > until:
                raise WalkthroughFailed(f"no outcome of request {request_id} within {within_seconds:.0f} s")
            for records in (await self._consumer.getmany(timeout_ms=READ_MILLISECONDS)).values():
                for record in records:
                    self._take(record)
        return self._arrived[request_id]

    def _take(self, record: Any) -> None:
        message, attributes = from_record(record.key, record.value, record.headers)
        if isinstance(message, Outcome):
            traceparent = attributes.traceparent
            arrived = Arrived(message, traceparent.split("-")[1] if traceparent else None, time.monotonic())
            for request in message.requests:
                self._arrived.setdefault(request.request_id, arrived)


@asynccontextmanager
async def outcomes_of(stack: Stack) -> AsyncIterator[Outcomes]:
    """A reader of the outcomes that come from now on; every partition has its position before this returns."""
    consumer = AIOKafkaConsumer(
        OUTCOMES.name, bootstrap_servers=stack.bootstrap_servers, group_id=None, auto_offset_reset="latest"
    )
    await consumer.start()
    try:
        await consumer.seek_to_end()
        for partition in consumer.assignment():
            await consumer.position(partition)
        yield Outcomes(consumer)
    finally:
        await consumer.stop()


@dataclass(frozen=True, slots=True)
class Clinic:
    """One organization and the way to assistant-api."""

    http: httpx.AsyncClient
    org_id: UUID

    @classmethod
    async def create(cls, http: httpx.AsyncClient, name: str) -> Self:
        """`POST /api/organizations`."""
        body = await _post(http, "/api/organizations", {"name": name}, expected=201)
        return cls(http, UUID(str(body["id"])))

    async def save_agent(self, agent_id: str, **fields: object) -> Answer:
        """`POST /api/agents`: a new assistant."""
        sent_at = time.monotonic()
        body = await _post(
            self.http,
            "/api/agents",
            {
                "id": agent_id,
                "orgId": str(self.org_id),
                "name": "Front desk",
                "systemPrompt": "You answer the phone of a clinic. Be friendly and brief.",
                "firstMessage": "Hello, how can I help you?",
                "model": {"provider": "openai", "model": "gpt-4o"},
                **fields,
            },
            expected=None,
        )
        return _answer(body, agent_id, sent_at)

    async def sync(self, agent_id: str) -> Answer:
        """`POST /api/assistants/sync`."""
        sent_at = time.monotonic()
        body = await _post(self.http, "/api/assistants/sync", {"agentId": agent_id}, expected=None)
        return _answer(body, agent_id, sent_at)

    async def appointments(self) -> list[dict[str, Any]]:
        """`GET /api/appointments`: the clinic's appointments, by their start."""
        why = {"x-access-reason": "shown to whoever runs the demo"}
        response = await self.http.get("/api/appointments", params={"orgId": str(self.org_id)}, headers=why)
        response.raise_for_status()
        found: list[dict[str, Any]] = response.json()["items"]
        return found


@dataclass(frozen=True, slots=True)
class Call:
    """A simulated call of one tool: what the caller was told by its messages, what the model heard and was answered."""

    call_id: str
    spoken: tuple[str, ...]
    heard: str
    answered: str


async def call(stack: Stack, assistant_id: str, tool: str, arguments: Mapping[str, object]) -> Call:
    """Have the sandbox call a tool of an assistant as Vapi would: a signed webhook to the tool's server."""
    order = {"assistantId": assistant_id, "toolCalls": [{"name": tool, "arguments": dict(arguments)}]}
    async with httpx.AsyncClient(base_url=stack.surroundings.vapi_base_url, timeout=30.0) as http:
        response = await http.post("/__sandbox/calls", json=order)
    if response.status_code != 200:
        raise WalkthroughFailed(f"the simulated call was refused: {response.status_code}: {response.text[:400]}")
    body = response.json()
    (handled,) = body["toolCalls"]
    if handled["problems"] or any(delivery["problems"] for delivery in handled["deliveries"]):
        raise WalkthroughFailed(f"the simulated call had problems: {handled}")
    return Call(
        call_id=body["callId"],
        spoken=tuple(message["text"] for message in handled["spoken"]),
        heard=str(handled["heard"]["text"]),
        answered=str((handled["unheard"] or handled["heard"])["text"]),
    )


def client(stack: Stack, token: str | None = None) -> httpx.AsyncClient:
    """A client of assistant-api with the platform's token, or a given one."""
    headers = {"authorization": f"Bearer {token or stack.signer.platform_token()}"}
    return httpx.AsyncClient(base_url=stack.assistant_api_url, headers=headers, timeout=15.0)


async def history(stack: Stack, org_id: UUID) -> list[dict[str, Any]]:
    """What the log says about an organization, from tool-sync's HTTP service."""
    headers = {"authorization": f"Bearer {stack.signer.platform_token()}"}
    async with httpx.AsyncClient(base_url=stack.tool_sync_url, headers=headers, timeout=10.0) as http:
        response = await http.get(f"/v1/orgs/{org_id}/history", params={"limit": 200})
        response.raise_for_status()
        events: list[dict[str, Any]] = response.json()["events"]
        return events


async def console_link(stack: Stack) -> str:
    """A link that signs its opener in at the console as the platform, once."""
    headers = {"authorization": f"Bearer {stack.signer.platform_token()}"}
    async with httpx.AsyncClient(base_url=stack.tool_sync_url, headers=headers, timeout=10.0) as http:
        response = await http.post("/v1/console/links")
        response.raise_for_status()
        return str(response.json()["url"])


async def status_when_synced(http: httpx.AsyncClient, agent_id: str, within_seconds: float = 10.0) -> dict[str, Any]:
    """`GET /api/assistants/{agentId}/status`, once it says that the tools are there."""
    async with asyncio.timeout(within_seconds):
        while True:
            response = await http.get(f"/api/assistants/{agent_id}/status")
            response.raise_for_status()
            body: dict[str, Any] = response.json()
            if body["success"]:
                return body
            await asyncio.sleep(0.05)


async def _post(
    http: httpx.AsyncClient, path: str, body: Mapping[str, object], *, expected: int | None
) -> dict[str, Any]:
    response = await http.post(path, json=body)
    if response.status_code not in ((expected,) if expected else (200, 201, 202)):
        raise WalkthroughFailed(f"POST {path}: status {response.status_code}: {response.text[:400]}")
    found: dict[str, Any] = response.json()
    return found


def _answer(body: Mapping[str, Any], agent_id: str, sent_at: float) -> Answer:
    return Answer(
        agent_id=agent_id,
        assistant_id=body["assistantId"],
        request_id=UUID(body["requestId"]),
        trace_id=body["traceId"],
        state=body["state"],
        sent_at=sent_at,
    )

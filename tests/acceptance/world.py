"""Everything that an acceptance test can do and see: the running system, and the world around it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import httpx
from aiokafka.admin import AIOKafkaAdminClient
from tests.support.eventually import eventually

from devstack.stack import Stack

from .collector import Collector
from .kafka_topics import INPUT, OUTPUT, Outcomes, end_offsets, lag
from .vapi import Vapi

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"  # generic for the type checker only

TOOL = "bookClinicAppointment"
REACH_SECONDS = 2.0
"""Within which every save ends in its outcome, counted from before the request is sent."""
PATIENCE_SECONDS = 15.0
"""Where no promise is made about time."""

SECRET_PROMPT = "You answer the phone of Dr. Aurelia Quendel and know that the door code is 4711-quendel."
"""What an assistant is told: nobody's business outside the row and Vapi."""
SECRET_GREETING = "Practice Quendel-4711, good morning."

_QUIET = """
SELECT (SELECT coalesce(max(position), 0) FROM events) AS head,
       (SELECT coalesce(min(position), 0) FROM cursors WHERE name LIKE '%-relay') AS published,
       (SELECT count(*) FROM pending_syncs WHERE requested > settled) AS pending
"""


@dataclass(frozen=True, slots=True)
class World:
    """The system under test. `http` and `tool_sync` bear the platform's token.

    `assistants_db` is the connection of somebody who writes plain SQL into assistant-api's tables (their owner),
    `log_db` a superuser's to tool-sync's.
    """

    stack: Stack
    http: httpx.AsyncClient
    tool_sync: httpx.AsyncClient
    vapi: Vapi
    outcomes: Outcomes
    collector: Collector
    assistants_db: Connection
    log_db: Connection
    kafka: AIOKafkaAdminClient
    consumer: Any

    def bearer(self, org_id: UUID) -> dict[str, str]:
        """The header of an org's own token."""
        return {"authorization": f"Bearer {self.stack.signer.org_token(str(org_id))}"}

    async def organization(self, name: str = "Clinic") -> UUID:
        """A new organization."""
        answer = await self.http.post("/api/organizations", json={"name": name})
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])

    async def save(self, org_id: UUID, agent_id: str | None = None, **fields: Any) -> dict[str, Any]:
        """`POST /api/agents`: a new agent, known to Vapi when this returns; assistant-api's answer."""
        said = {"name": "Front desk", "systemPrompt": SECRET_PROMPT, "firstMessage": SECRET_GREETING, **fields}
        body = {"id": agent_id or f"agent-{uuid4()}", "orgId": str(org_id), **said}
        answer = await self.http.post("/api/agents", json=body)
        assert answer.status_code == 200, answer.text
        saved: dict[str, Any] = answer.json()
        return saved

    async def synced_agent(self, org_id: UUID, agent_id: str | None = None, **fields: Any) -> dict[str, Any]:
        """An agent whose first save has its outcome."""
        saved = await self.save(org_id, agent_id, **fields)
        published = await self.outcomes.of(UUID(saved["requestId"]), until=time.monotonic() + PATIENCE_SECONDS)
        assert published.tool_names == [TOOL]
        return saved

    async def sync(self, agent_id: str) -> dict[str, Any]:
        """`POST /api/assistants/sync`; assistant-api's answer."""
        answer = await self.http.post("/api/assistants/sync", json={"agentId": agent_id})
        assert answer.status_code == 200, answer.text
        saved: dict[str, Any] = answer.json()
        return saved

    async def newest_request(self, agent_id: str) -> UUID:
        """The id of an agent's newest save, however it came about."""
        found = await self.assistants_db.fetchval(
            "SELECT request_id FROM saves WHERE agent_id = $1 ORDER BY revision DESC LIMIT 1", agent_id
        )
        assert isinstance(found, UUID)
        return found

    async def head(self) -> int:
        """The position of the newest event."""
        position: int = await self.log_db.fetchval("SELECT coalesce(max(position), 0) FROM events")
        return position

    async def output_offsets(self) -> dict[Any, int]:
        """Where the outcomes topic ends, by partition."""
        return await end_offsets(self.consumer, "tool-sync.outcomes.v1")

    async def taken_in(self) -> None:
        """Waits until tool-sync has committed everything that is on the input topic."""

        async def nothing_left() -> bool:
            return await lag(self.kafka, self.consumer, INPUT, "tool-sync") == 0

        await eventually(nothing_left, within_seconds=PATIENCE_SECONDS)

    async def quiet(self) -> None:
        """Waits until nothing is under way anywhere: no message unsent, none unread, no work open."""

        async def nothing_under_way() -> bool:
            unsent = await self.assistants_db.fetchval("SELECT count(*) FROM outbox")
            row = await self.log_db.fetchrow(_QUIET)
            assert row is not None
            behind = await lag(self.kafka, self.consumer, INPUT, "tool-sync")
            behind += await lag(self.kafka, self.consumer, OUTPUT, "assistant-api")
            return bool(unsent == behind == row["pending"] == 0 and row["published"] == row["head"])

        await eventually(nothing_under_way, within_seconds=30)
        await self.outcomes.read_to_the_end()

    def log_lines(self, matches: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """The lines of both services' log that fulfil a condition; one that is still being written is left out."""
        text = self.stack.surroundings.log_file.read_text(encoding="utf-8")
        lines = text[: text.rfind("\n") + 1].split("\n")[:-1]
        return [line for line in map(json.loads, lines) if matches(line)]

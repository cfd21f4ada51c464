"""Both services over one corner, as the whole stack runs them, for what is measured from the HTTP request on."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

import aiohttp

from benchmarks import groups, outcomes, sides
from benchmarks.errors import NotMeasured
from benchmarks.outcomes import OutcomeReader
from benchmarks.world import PARTITIONS, World, corner
from devstack import process, services
from devstack.ports import free_port
from devstack.process import Child

PROMPT = "You answer the phone of a dental clinic. Be brief and friendly, and speak plainly. " * 16
START_SECONDS_MAX = 60.0
CONNECTIONS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Whole:
    """The running services, with the base URL of each. ``client`` sends requests to assistant-api as the platform."""

    client: aiohttp.ClientSession
    reader: OutcomeReader
    assistant_api: Child
    tool_sync: Child
    urls: Mapping[str, str]

    async def new_org(self) -> UUID:
        """Create an organization."""
        org_id = uuid4()
        await self.post("/api/organizations", {"id": str(org_id), "name": "Test Clinic"})
        return org_id

    async def new_agent(self, org_id: UUID) -> tuple[str, UUID]:
        """Save a new agent, and with it a new assistant; returns its id and the request's."""
        agent_id = f"agent-{uuid4()}"
        body = {
            "id": agent_id,
            "orgId": str(org_id),
            "name": "Front desk",
            "systemPrompt": PROMPT,
            "firstMessage": "Good morning, how can I help you?",
            "voice": {"provider": "11labs", "voiceId": "sarah"},
            "model": {"provider": "openai", "model": "gpt-4o"},
        }
        return agent_id, UUID((await self.post("/api/agents", body))["requestId"])

    async def sync(self, agent_id: str, org_id: UUID) -> UUID:
        """Ask for a sync of an agent; returns the request's id."""
        answer = await self.post("/api/assistants/sync", {"agentId": agent_id, "orgId": str(org_id)})
        return UUID(answer["requestId"])

    async def post(self, path: str, body: Mapping[str, object]) -> dict[str, str]:
        """Send a request; raises :class:`NotMeasured` for an answer that is no success."""
        async with self.client.post(path, json=body) as answer:
            if answer.status not in (200, 201, 202):
                raise NotMeasured(f"POST {path} answers {answer.status}: {(await answer.text())[:500]}")
            found: dict[str, str] = await answer.json()
            return found


@asynccontextmanager
async def serving(world: World, *, vapi_ms: int, blocks: Path | None = None) -> AsyncIterator[Whole]:
    """Lends both services over a fresh corner, ready, with a Vapi that takes ``vapi_ms`` for every call.

    ``blocks``: a folder in which a file of each service says for how long its event loop was blocked.
    """
    async with corner(world, "whole", migrated=True) as place:
        await world.turn(latency_ms=vapi_ms)
        database = await world.databases.create_database("assistant_api")
        settings = sides.environment(world, place, sides.OURS) | {
            "DATABASE_URL": database.service,
            "CONSUMER_GROUP": f"{place.group}-assistant-api",
            "TOOL_CALLS_TOPIC": place.tool_calls_topic,
            "ERASURES_TOPIC": place.erasures_topic,
        }
        url, port = services.base_url(int(settings["PORT"])), free_port()
        ours = replace(sides.OURS, command=_command("tool_sync", blocks))
        api = process.start(
            "assistant-api",
            _command("assistant_api", blocks),
            log=world.logs / f"{place.name}-assistant-api.log",
            env=settings,
        )
        try:
            await api.ready(lambda: services.not_ready(url), START_SECONDS_MAX)
            async with (
                sides.running(world, place, ours, port=port) as tool_sync,
                outcomes.reading(world.bootstrap_servers, place.outcomes_topic, PARTITIONS) as reader,
                aiohttp.ClientSession(
                    base_url=url,
                    headers={"Authorization": f"Bearer {world.signer.platform_token()}"},
                    connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
                ) as client,
            ):
                await groups.consuming_since(world.admin, place.group, tool_sync)
                urls = {"assistant-api": url, "tool-sync": services.base_url(port)}
                yield Whole(client, reader, api, tool_sync, urls)
        finally:
            await api.stop()
            await world.databases.drop(database)


def _command(service: str, blocks: Path | None) -> tuple[str, ...]:
    if blocks is None:
        return (sys.executable, "-m", service, "run")
    return (sys.executable, "-m", "tests.chaos.watch", service, str(blocks / f"{service}.jsonl"), "run")

"""assistant-api as the second writer, the clinic's people, an outsider in the dashboard, and Kafka's deliveries.

A save is: the row's revision goes up; later the model is written to Vapi, links kept as they were read; then its
`AssistantSaved` arrives at tool-sync, sometimes twice. Between the read and the write tool-sync may have linked: that
is the race of the two writers.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tool_sync.domain import events as e
from tool_sync.event_log import AppendRequest, Meta, NewEvent, event_id, org_stream
from zerotouch_contracts.canonical import model_hash

from .checks import Checks
from .database import Database
from .faults import Faults
from .vapi import Json, Server

SOURCE = "/simulation/clinic"
HEALS_PER_REVISION_MAX = 3


@dataclass(slots=True)
class Agent:
    """A row of assistant-api. ``foreign``: links and fields that belong to nobody here and must survive."""

    org_id: UUID
    agent_id: str
    assistant_id: str
    revision: int = 0
    provisioned: int = 0
    prompt: str = ""
    healed: int = 0
    removed: bool = False
    foreign_tools: list[str] = field(default_factory=list)
    foreign_fields: dict[str, Any] = field(default_factory=dict)
    at_work: asyncio.Lock = field(default_factory=asyncio.Lock)


class Clinic:
    """Everything outside tool-sync."""

    def __init__(self, database: Database, server: Server, faults: Faults, checks: Checks) -> None:
        self.agents: list[Agent] = []
        self.closed: set[UUID] = set()
        self._database, self._server, self._faults, self._checks = database, server, faults, checks
        self._requests = 0

    def organization(self, number: int) -> UUID:
        """A new clinic."""
        org_id = UUID(int=0xC11A1C << 64 | number)
        self._arrive(org_id, e.OrgRegistered("basic"), f"org {number}")
        return org_id

    def agent(self, org_id: UUID, name: str) -> Agent:
        """A new row, with an assistant at Vapi that has links, pins and fields of somebody else's."""
        model = {
            "provider": "openai",
            "model": "gpt-4o",
            "messages": [],
            "toolIds": ["foreign-tool"],
            "knowledgeBase": {"id": f"kb-{name}"},
        }
        made = self._server.add_assistant({"name": name, "model": model, "voice": {"speed": 1.5}})
        agent = Agent(org_id, name, made["id"], foreign_tools=["foreign-tool"])
        agent.foreign_fields = {"knowledgeBase": {"id": f"kb-{name}"}}
        self.agents.append(agent)
        return agent

    async def save(self, agent: Agent, cause: str = "save") -> None:
        """Save a new prompt and bring it to Vapi; its message arrives when it is there."""
        agent.revision += 1
        agent.prompt = f"prompt {agent.revision} of {agent.agent_id}"
        await self._provision(agent, cause)

    async def heal(self, agent: Agent) -> None:
        """Write the newest revision again, as the newest one."""
        if agent.healed >= HEALS_PER_REVISION_MAX or agent.removed:
            return
        agent.healed += 1
        agent.revision += 1
        await self._provision(agent, "repair")

    async def _provision(self, agent: Agent, cause: str) -> None:
        async with agent.at_work:
            await self._a_moment(0.2)
            read = self._server.assistants.get(agent.assistant_id)
            await self._a_moment(0.2)
            if read is None or agent.removed:
                return  # a save of a deleted agent is closed, and nobody hears of it
            model = {**read["model"], "messages": [{"role": "system", "content": agent.prompt}]}
            written = agent.revision
            self._server.execute("PATCH", f"/assistant/{agent.assistant_id}", {}, {"model": model})
            agent.provisioned = written
            await self._deliver(agent, cause, written)

    async def _deliver(self, agent: Agent, cause: str, revision: int) -> None:
        """`AssistantSaved`: its model hash is of Vapi's answer to the write."""
        assistant = self._server.assistants.get(agent.assistant_id)
        saved_hash = model_hash(
            {**(assistant or {}).get("model", {}), "messages": [{"role": "system", "content": agent.prompt}]}
        )
        self._requests += 1
        request_id = UUID(int=0x5A7E << 64 | self._requests)
        self._checks.asked[request_id] = f"{agent.agent_id} revision {revision}"
        event: e.OrgEvent = e.SyncRequested(
            request_id, agent.agent_id, agent.assistant_id, revision, saved_hash, cause, None
        )
        if self._faults.hits("poison"):
            event = e.RequestUnreadable(request_id, None)
        await self._a_moment(0.1)
        self._arrive(agent.org_id, event, str(request_id))
        if self._faults.hits("duplicate_delivery"):
            await self._a_moment(5.0)
            self._arrive(agent.org_id, event, str(request_id))

    async def outsider(self, agent: Agent) -> None:
        """Somebody in the dashboard adds a tool of theirs and a field, over what they see."""
        read = self._server.assistants.get(agent.assistant_id)
        await self._a_moment(0.5)
        if read is None or agent.assistant_id not in self._server.assistants:
            return
        mine = f"outsider-{len(agent.foreign_tools)}"
        now = self._server.assistants[agent.assistant_id]
        model = {**now["model"], "toolIds": [*now["model"].get("toolIds", ()), mine], "temperature": 0.7}
        self._server.execute("PATCH", f"/assistant/{agent.assistant_id}", {}, {"model": model})
        agent.foreign_tools.append(mine)
        agent.foreign_fields["temperature"] = 0.7

    def remove(self, agent: Agent) -> None:
        """Delete an agent: at Vapi, and told to tool-sync."""
        agent.removed = True
        self._server.assistants.pop(agent.assistant_id, None)
        self._arrive(agent.org_id, e.AssistantRemoved(agent.agent_id, agent.assistant_id), f"rm {agent.agent_id}")

    def close(self, org_id: UUID) -> None:
        """Delete a clinic, its agents first."""
        for agent in self.agents:
            if agent.org_id == org_id and not agent.removed:
                self.remove(agent)
        self.closed.add(org_id)
        self._arrive(org_id, e.OrgClosed(), "closed")

    def change_tier(self, org_id: UUID, tier: str) -> None:
        """The clinic's tier."""
        self._requests += 1
        self._arrive(org_id, e.OrgTierChanged(tier), f"tier {self._requests}")

    def switch(self, org_id: UUID, name: str, *, on: bool) -> None:
        """A tool of the clinic is switched off or on."""
        self._requests += 1
        self._arrive(org_id, e.ToolSettingChanged(name, on), f"setting {self._requests}")

    def _arrive(self, org_id: UUID, event: e.OrgEvent, cause: str) -> None:
        stream = org_stream(org_id)
        new = NewEvent(event_id(stream, SOURCE, cause, type(event).__name__, 0), event)
        meta = Meta(cause, cause, None, "simulation", "0")
        self._database.append(AppendRequest(stream, org_id, None, (new,), meta), asyncio.get_running_loop().time())

    async def _a_moment(self, seconds: float) -> None:
        await asyncio.sleep(seconds * (self._faults.random.random() if self._faults.chance else 0.5))


def prompt_of(assistant: Json) -> str:
    """What the language model is told."""
    messages = assistant["model"].get("messages", ())
    return messages[0]["content"] if messages else ""

"""assistant-api as the second writer, and Kafka's deliveries.

A save is: the row's revision goes up; later the model is written to Vapi, links kept as they were read, and our mark
beside what is in the metadata; then its `AssistantSaved` arrives at tool-sync, sometimes twice. Between the read and
the write tool-sync may have linked: that is the race of the two writers.

Whoever leaves an assistant leaves a row: after the settle time our links, prompt and mark are taken out of it, until a
read shows that they are. Meanwhile whoever has the assistant by now waits.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from tool_sync.domain import events as e
from tool_sync.log import AppendRequest, Meta, NewEvent, StoredEvent, event_id, org_stream
from zerotouch_contracts.canonical import model_hash

from .checks import Checks
from .database import Database
from .faults import CROWDS, Faults
from .process import outside
from .reach import MARK_KEYS, marked_for
from .topic import Topic
from .vapi import Json, Server

SOURCE = "/simulation/clinic"
HEALS_PER_REVISION_MAX = 3
RELEASE_SECONDS = 20.0
"""assistant-api's settle time."""
FOREIGN_TOOL = "foreign-tool"


@dataclass(slots=True)
class Agent:
    """A row of assistant-api. ``made``: we have made its assistant, so deleting the agent deletes it, too."""

    org_id: UUID
    agent_id: str
    assistant_id: str
    revision: int = 0
    provisioned: int = 0
    prompt: str = ""
    healed: int = 0
    removed: bool = False
    made: bool = True
    at_work: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class Foreign:
    """What of an assistant is nobody's here and must survive. ``raced``: somebody else has written to its model."""

    tools: list[str] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    raced: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Leaving:
    """An agent has left an assistant, and what is ours is still to be taken out of it."""

    org_id: UUID
    agent_id: str
    assistant_id: str


class Clinic:
    """assistant-api, and what it tells tool-sync."""

    def __init__(
        self, database: Database, topic: Topic, server: Server, faults: Faults, checks: Checks, installation: UUID
    ) -> None:
        self.agents: list[Agent] = []
        self.closed: set[UUID] = set()
        self.foreign: dict[str, Foreign] = {}
        self.leaving: list[Leaving] = []
        self._installation = installation
        self._database, self._topic = database, topic
        self._server, self._faults, self._checks = server, faults, checks
        self._crowds = Random(f"crowds {faults.plan.seed}")
        self._requests = self._lives = self._revision_floor = 0
        server.add_tool(FOREIGN_TOOL)

    def organization(self, number: int) -> UUID:
        """A new clinic."""
        org_id = UUID(int=0xC11A1C << 64 | number)
        self.arrive(org_id, e.OrgRegistered("basic"), f"org {number}")
        return org_id

    def agent(self, org_id: UUID, name: str) -> Agent:
        """A new row, with an assistant at Vapi that has links, pins and fields of somebody else's."""
        agent = Agent(org_id, name, self.assistant(name))
        self.agents.append(agent)
        return agent

    def assistant(self, name: str) -> str:
        """An assistant at Vapi that carries no mark of ours yet; its id."""
        foreign = Foreign(self._crowd(), {"knowledgeBase": {"id": f"kb-{name}"}})
        model = {"provider": "openai", "model": "gpt-4o", "messages": [], "toolIds": list(foreign.tools)}
        model |= foreign.fields
        metadata = {"metadata": {"of": "somebody else"}} if self._faults.later else {}
        made = self._server.add_assistant({"name": name, "model": model, "voice": {"speed": 1.5}, **metadata})
        self.foreign[made["id"]] = foreign
        return str(made["id"])

    def _crowd(self) -> list[str]:
        """Tools of somebody else's. One is always there where nothing is left to chance."""
        if not self._faults.later:
            return [FOREIGN_TOOL]
        ids = [f"foreign-{number:03}" for number in range(self._crowds.choice(CROWDS))]
        for tool_id in ids:
            if tool_id not in self._server.tools:
                self._server.add_tool(tool_id, f"somebodyElses{tool_id[8:]}" if self._crowds.random() < 0.5 else None)
        return ids

    async def save(self, agent: Agent, cause: str = "save") -> None:
        """Save a new prompt and bring it to Vapi; its message arrives when it is there."""
        agent.revision = max(agent.revision + 1, self._revision_floor)
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
            life = self._lives
            while True:
                await self.a_moment(0.2)
                if life != self._lives:
                    return  # the process was stopped, and this row is of a database that is no more
                if self.is_being_released(agent.assistant_id) and not agent.removed:
                    await asyncio.sleep(1.0)  # TS-108
                    continue
                assistant_id = agent.assistant_id
                read = self._server.assistants.get(assistant_id)
                await self.a_moment(0.2)
                if read is None or agent.removed or life != self._lives:
                    return  # a save of a deleted agent is closed, and nobody hears of it
                if marked_for(read) not in (None, agent.org_id):
                    self._checks.reached["save refused"] += 1
                    return
                model = {**read["model"], "messages": [{"role": "system", "content": agent.prompt}]}
                metadata = {**(read.get("metadata") or {}), **self.mark(agent.org_id, agent.agent_id)}
                written = agent.revision
                self._server.execute("PATCH", f"/assistant/{assistant_id}", {}, {"model": model, "metadata": metadata})
                if agent.assistant_id == assistant_id:
                    break  # else the row names another by now: this one is going to be released
            agent.provisioned = written
            await self._deliver(agent, cause, written)

    def mark(self, org_id: UUID, agent_id: str) -> dict[str, str]:
        """What the metadata of an agent's assistant say."""
        return dict(zip(MARK_KEYS, (str(self._installation), str(org_id), agent_id), strict=True))

    async def take_in(self, org_id: UUID, agent_id: str, assistant_id: str, prompt: str) -> None:
        """A new agent whose assistant was just made with its first revision; nobody has it if the clinic is gone."""
        if org_id in self.closed:
            self._server.assistants.pop(assistant_id, None)
            return
        agent = Agent(org_id, agent_id, assistant_id, revision=1, provisioned=1, prompt=prompt)
        self.foreign[assistant_id] = Foreign()
        self.agents.append(agent)
        await self._deliver(agent, "save", 1)

    async def _deliver(self, agent: Agent, cause: str, revision: int) -> None:
        """`AssistantSaved`: its model hash is of Vapi's answer to the write."""
        assistant = self._server.assistants.get(agent.assistant_id)
        saved_hash = model_hash(
            {**(assistant or {}).get("model", {}), "messages": [{"role": "system", "content": agent.prompt}]}
        )
        request_id = self.request(f"{agent.agent_id} revision {revision}")
        event: e.OrgEvent = e.SyncRequested(
            request_id, agent.agent_id, agent.assistant_id, revision, saved_hash, cause, None
        )
        if self._faults.hits("poison"):
            event = e.RequestUnreadable(request_id, None)
        life = self._lives
        await self.a_moment(0.1)
        if life != self._lives:
            del self._checks.asked[request_id]  # its outbox was lost with the database
            return
        self.arrive(agent.org_id, event, str(request_id))
        if self._faults.hits("duplicate_delivery"):
            await self.a_moment(5.0)
            self.arrive(agent.org_id, event, str(request_id))

    def set_back(self, backup: list[Agent]) -> list[Agent]:
        """The database is a backup's, and what was under way is over. Returns the agents that it had."""
        lost, self.agents = self.agents, backup
        self._lives += 1
        self._revision_floor = self.revisions_above(lost)
        return lost

    def revisions_above(self, lost: list[Agent]) -> int:
        """`assistant-api restore` begins above whatever was published; there it is the time in seconds."""
        return max((agent.revision for agent in lost), default=0) + 1_000

    def made_again(self, lost: Agent) -> Agent:
        """An agent that no row knows is made under its id, and takes up the assistant that carries its mark."""
        agent = Agent(lost.org_id, lost.agent_id, lost.assistant_id, prompt=lost.prompt, made=lost.made)
        self.agents.append(agent)
        return agent

    def is_excused(self, request_id: UUID) -> bool:
        """Whether Kafka lost a save before it was read, and tool-sync's ledger says so."""
        return self._topic.is_gone_and_told(request_id)

    def request(self, what: str) -> UUID:
        """The id of a new request, which now needs its outcome."""
        self._requests += 1
        request_id = UUID(int=0x5A7E << 64 | self._requests)
        self._checks.asked[request_id] = what
        return request_id

    @property
    def fleet(self) -> Sequence[StoredEvent]:
        """What was published and ordered, as tool-sync's log has it."""
        return self._database.fleet

    @property
    def was_restored(self) -> bool:
        """Whether tool-sync's log was set back in this run."""
        return self._checks.restores > 0

    # --- leaving an assistant -----------------------------------------------------------------------------------------

    async def exchange(self, one: Agent, other: Agent) -> None:
        """The platform gives each the other's assistant."""
        mine, theirs = one.assistant_id, other.assistant_id
        self._take(one, theirs)
        self._take(other, mine)
        await asyncio.gather(self.save(one), self.save(other))

    async def hand_on(self, one: Agent, other: Agent) -> None:
        """The platform moves one to an assistant that nobody has, and gives the other what it had."""
        left = one.assistant_id
        self._take(one, self.assistant(f"{one.agent_id}-new"))
        self._take(other, left)
        await asyncio.gather(self.save(one), self.save(other))

    def is_being_released(self, assistant_id: str) -> bool:
        """Whether somebody has left it and something of ours may still be in it."""
        return any(row.assistant_id == assistant_id for row in self.leaving)

    def _take(self, agent: Agent, assistant_id: str) -> None:
        left, agent.assistant_id, agent.made = agent.assistant_id, assistant_id, False
        back = (agent.org_id, agent.agent_id, assistant_id)
        self.leaving = [row for row in self.leaving if (row.org_id, row.agent_id, row.assistant_id) != back]
        self._leave(agent, left)

    def _leave(self, agent: Agent, assistant_id: str) -> None:
        self.leaving.append(row := Leaving(agent.org_id, agent.agent_id, assistant_id))
        outside(self.release(row))

    async def release(self, row: Leaving) -> None:
        """Take out what is ours, and look whether it is out."""
        await asyncio.sleep(RELEASE_SECONDS)
        while row in self.leaving:
            read = self._server.assistants.get(row.assistant_id)
            changes = {} if read is None else self._without_ours(read, row)
            if not changes:
                break
            await self.a_moment(0.2)
            self._server.execute("PATCH", f"/assistant/{row.assistant_id}", {}, changes)
            self._checks.reached["released"] += 1
            await self.a_moment(0.2)
        self.leaving = [other for other in self.leaving if other is not row]

    def _without_ours(self, read: Json, row: Leaving) -> Json:
        model = dict(read["model"])
        ids = [i for i in model.get("toolIds") or () if self._server.owner_of(i) != row.org_id]
        if ids != (model.get("toolIds") or []):
            model["toolIds"] = ids
        if any(f" of {row.agent_id}" in message["content"] for message in model["messages"]):
            model["messages"] = []
        metadata = read.get("metadata") or {}
        if metadata.get("agent_id") == row.agent_id and metadata.get("organization_id") == str(row.org_id):
            metadata = {key: value for key, value in metadata.items() if key not in MARK_KEYS}
        changed = {"model": model, "metadata": metadata}
        return {key: value for key, value in changed.items() if value != (read.get(key) or {})}

    def remove(self, agent: Agent) -> None:
        """Delete an agent: told to tool-sync; its assistant is deleted where we have made it, else released."""
        agent.removed = True
        if agent.made:
            self._server.assistants.pop(agent.assistant_id, None)
        else:
            self._leave(agent, agent.assistant_id)
        removed = e.AssistantRemoved(agent.agent_id, agent.assistant_id, agent.revision)
        self.arrive(agent.org_id, removed, f"rm {agent.agent_id} {agent.revision}")

    def born_again(self, agent: Agent) -> Agent:
        """An agent is deleted and made again under its id, with the assistant that it had, or with a new one."""
        self.remove(agent)
        there = not agent.made and agent.assistant_id in self._server.assistants
        assistant_id = agent.assistant_id if there else self.assistant(f"{agent.agent_id}-again")
        again = Agent(agent.org_id, agent.agent_id, assistant_id, revision=agent.revision, made=not there)
        back = (agent.org_id, agent.agent_id, assistant_id)
        self.leaving = [row for row in self.leaving if (row.org_id, row.agent_id, row.assistant_id) != back]
        self.agents.append(again)
        return again

    def close(self, org_id: UUID) -> None:
        """Delete a clinic, its agents first."""
        for agent in self.agents:
            if agent.org_id == org_id and not agent.removed:
                self.remove(agent)
        self.closed.add(org_id)
        self.arrive(org_id, e.OrgClosed(), "closed")

    def change_tier(self, org_id: UUID, tier: str) -> None:
        """The clinic's tier."""
        self._requests += 1
        self.arrive(org_id, e.OrgTierChanged(tier), f"tier {self._requests}")

    def arrive(self, org_id: UUID, event: e.OrgEvent, cause: str) -> None:
        """Something comes to tool-sync over Kafka; the same ``cause`` is the same thing again."""
        self._topic.publish(_request(org_id, event, cause))

    def write(self, org_id: UUID, event: e.OrgEvent, cause: str) -> None:
        """An operator writes into tool-sync's log; while a restore is under way nobody does."""
        if self._topic.is_read:
            self._database.append(_request(org_id, event, cause), asyncio.get_running_loop().time())

    async def a_moment(self, seconds: float) -> None:
        """A part of ``seconds``."""
        await asyncio.sleep(seconds * (self._faults.random.random() if self._faults.chance else 0.5))


def _request(org_id: UUID, event: e.OrgEvent, cause: str) -> AppendRequest:
    stream = org_stream(org_id)
    new = NewEvent(event_id(stream, SOURCE, cause, type(event).__name__, 0), event)
    return AppendRequest(stream, org_id, None, (new,), Meta(cause, cause, None, "simulation", "0"))


def prompt_of(assistant: Json) -> str:
    """What the language model is told."""
    messages = assistant["model"].get("messages", ())
    return messages[0]["content"] if messages else ""

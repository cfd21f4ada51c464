"""What clients do: each operation once, and its line in the ledger."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.chaos.client import Answer, Client
from tests.chaos.clinics import Agent, Clinics
from tests.checker.ledger import Ledger

TRIES_MAX: Final = 3
RETRY_SECONDS: Final = 0.5


@dataclass(slots=True)
class Operations:
    """All that a client can ask for. `canary` makes prompts that no other save gives."""

    client: Client
    clinics: Clinics
    ledger: Ledger
    run: str
    prompts: int = 0
    can_delete: bool = False

    async def found_clinic(self) -> str | None:
        """A new organization; its id when it is there."""
        org_id = self.clinics.new_id()
        body = {"id": org_id, "name": "Clinic"}
        answer = await self._persist("create_org", org_id, None, None, "/api/organizations", body)
        if answer is None:
            return None
        self.clinics.found(org_id)
        return org_id

    async def new_agent(self, org_id: str, *, twice: bool = False) -> None:
        """A new agent; `twice` sends the same request at once from two places, and a third time when it is answered."""
        agent, prompt = Agent(org_id, f"agent-{self.clinics.new_id()}"), self.canary()
        body = {"id": agent.id, "orgId": org_id, "name": "Front desk", "systemPrompt": prompt}
        calls = [self._persist("save", org_id, agent.id, prompt, "/api/agents", body) for _ in range(2 if twice else 1)]
        answers = [answer for answer in await asyncio.gather(*calls) if answer is not None]
        if twice:
            await self._persist("save", org_id, agent.id, prompt, "/api/agents", body)
        if answers:
            agent.assistant_id = next((a.body["assistantId"] for a in answers if a.body.get("assistantId")), None)
            self.clinics.agents[org_id].append(agent)

    async def save(self, agent: Agent) -> None:
        """A change of the prompt."""
        prompt = self.canary()
        answer = await self.client.call(
            "PATCH", f"/api/agents/{agent.id}", params={"orgId": agent.org_id}, json={"systemPrompt": prompt}
        )
        self._learn(agent, answer)
        self._write("save", agent.org_id, agent.id, answer, prompt)

    async def sync(self, agent: Agent, *, twice: bool = False) -> None:
        """A sync of one agent; `twice` with the same key at once."""
        key = self.clinics.new_id()
        body = {"agentId": agent.id, "orgId": agent.org_id}

        async def once() -> None:
            answer = await self.client.call("POST", "/api/assistants/sync", key, json=body)
            self._learn(agent, answer)
            self._write("sync", agent.org_id, agent.id, answer)

        await asyncio.gather(*(once() for _ in range(2 if twice else 1)))

    async def auto_sync(self, org_id: str, agent: Agent | None) -> None:
        """An auto-sync of an agent, or of all that a clinic has."""
        body = {"orgId": org_id} | ({} if agent is None else {"agentId": agent.id})
        answer = await self.client.call("POST", "/api/assistants/auto-sync", json=body)
        self._write("auto_sync", org_id, None if agent is None else agent.id, answer)

    async def exchange(self, one: Agent, other: Agent, spare: str) -> None:
        """Two clinics give each other their assistants; an assistant has one agent at a time, so ``spare`` helps.

        Each of the three is a save of its own. One that fails leaves the others where they are.
        """
        mine, theirs = one.assistant_id, other.assistant_id
        assert mine is not None
        assert theirs is not None
        one.edited = other.edited = True  # synced again before the run ends, whichever each of them has by then
        for agent, assistant_id in ((one, spare), (other, mine), (one, theirs)):
            if not await self._move(agent, assistant_id):
                return

    async def _move(self, agent: Agent, assistant_id: str) -> bool:
        prompt = self.canary()
        answer = await self.client.call(
            "PATCH",
            f"/api/agents/{agent.id}",
            params={"orgId": agent.org_id},
            json={"vapiAssistantId": assistant_id, "systemPrompt": prompt},
        )
        self._learn(agent, answer)
        self._write("save", agent.org_id, agent.id, answer, prompt)
        return answer.state == "ok"

    async def delete(self, agent: Agent) -> None:
        """The end of an agent; nobody asks for it afterwards."""
        self.clinics.forget(agent)
        answer = await self.client.call("DELETE", f"/api/agents/{agent.id}", params={"orgId": agent.org_id})
        self._write("delete_agent", agent.org_id, agent.id, answer)

    def canary(self) -> str:
        """A prompt that stands nowhere else."""
        self.prompts += 1
        return f"You answer the phone. canary-{self.run}-{self.prompts}"

    async def _persist(
        self, op: str, org_id: str, agent_id: str | None, prompt: str | None, path: str, body: dict[str, Any]
    ) -> Answer | None:
        """A POST with a key of its own body, repeated while its fate is unknown; the answer that settled it."""
        key = f"{op}-{agent_id or org_id}"
        for _ in range(TRIES_MAX):
            answer = await self.client.call("POST", path, key, json=body)
            self._write(op, org_id, agent_id, answer, None if answer.replayed else prompt)
            if answer.state == "ok":
                return answer
            if answer.state == "fail" and answer.status is not None:
                return None
            await asyncio.sleep(RETRY_SECONDS)
        return None

    def _learn(self, agent: Agent, answer: Answer) -> None:
        if answer.body.get("assistantId"):
            agent.assistant_id = answer.body["assistantId"]

    def _write(self, op: str, org: str, agent: str | None, answer: Answer, prompt: str | None = None) -> None:
        known: Sequence[tuple[str, Any]] = (("request_id", answer.request_id), ("prompt", prompt))
        fields = {name: value for name, value in known if value is not None}
        self.ledger.op(
            op, started=answer.started, state=answer.state, org=org, agent=agent, status=answer.status, **fields
        )

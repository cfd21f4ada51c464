"""Somebody else who works in the same Vapi account: adds tools, fields and inline tools to the clinics' assistants.

Each edit is a PATCH over what was just read, as the dashboard makes it. It leaves a trace in the ledger, and the
assistant is synced again before the run ends: an edit on top of an old version is nothing that an event tells.
"""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import httpx
from tests.chaos.clinics import Agent
from tests.checker.ledger import Ledger

FOREIGN_TOOLS: Final = 3
TOOL: Final = {"type": "endCall", "messages": []}


@dataclass(slots=True)
class Outsider:
    """The other writer. `http` is a client of the sandbox with a key of its own."""

    http: httpx.AsyncClient
    ledger: Ledger
    dice: Random
    edits: int = 0
    _tools: list[str] = field(default_factory=list)

    async def arrive(self) -> None:
        """Make the tools that are going to be linked."""
        for _ in range(FOREIGN_TOOLS):
            answer = (await self.http.post("/tool", json={"type": "endCall"})).raise_for_status()
            self._tools.append(answer.json()["id"])

    async def edit(self, agent: Agent) -> None:
        """Change something of an assistant that is not the services'."""
        found = await self.http.get(f"/assistant/{agent.assistant_id}")
        if found.status_code == httpx.codes.NOT_FOUND:
            return
        change = self._change(found.raise_for_status().json())
        if "model" in change:
            agent.edited = True
        body = json.dumps(change).encode()
        assert agent.assistant_id is not None
        self.ledger.edit(agent.assistant_id, body)
        answer = await self.http.patch(
            f"/assistant/{agent.assistant_id}", content=body, headers={"Content-Type": "application/json"}
        )
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()
            self.edits += 1

    def _change(self, assistant: dict[str, Any]) -> dict[str, Any]:
        model = assistant["model"]
        number = self.dice.randrange(1_000_000)
        match self.dice.randrange(4):
            case 0:
                return {"endCallMessage": f"Goodbye {number}"}
            case 1:
                ids = [*model.get("toolIds", []), self.dice.choice(self._tools)]
                return {"model": {**model, "toolIds": list(dict.fromkeys(ids))}}
            case 2:
                return {"model": {**model, "temperature": number / 1_000_000, "knowledgeBase": {"n": number}}}
            case _:
                return {"model": {**model, "tools": [*model.get("tools", [])[-2:], TOOL]}}

"""Somebody else who works in the same Vapi account: adds tools, fields and inline tools to the clinics' assistants.

Each edit is a PATCH over what was just read, as the dashboard makes it. It leaves a trace in the ledger, and the
assistant is synced again before the run ends: an edit on top of an old version is nothing that an event tells.

What stands between a caller and our tool (a twin of its name, calls that are not sent) is taken back before the run
ends. A tool of ours that was deleted or changed is for tool-sync to find and to put right.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import httpx
from tests.chaos.clinics import Agent
from tests.checker.ledger import Ledger

FOREIGN_TOOLS: Final = 3
TOOL: Final = {"type": "endCall", "messages": []}
OUR_TOOL: Final = "bookClinicAppointment"
TWIN: Final = {"type": "function", "function": {"name": OUR_TOOL}, "messages": []}
ELSEWHERE: Final = "http://127.0.0.1:9/elsewhere"
CROWD: Final = 25

Change = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(slots=True)
class Outsider:
    """The other writer. `http` is a client of the sandbox with a key of its own."""

    http: httpx.AsyncClient
    ledger: Ledger
    dice: Random
    edits: int = 0
    changed_tools: set[str] = field(default_factory=set)
    deleted_tools: set[str] = field(default_factory=set)
    """Ids of tools of ours."""
    leaves_tools_alone: bool = False
    """Towards the end of a run: tool-sync looks at a tool that it has just made a minute later."""
    touched: set[str] = field(default_factory=set)
    """Ids of assistants whose model somebody has changed."""
    _tools: list[str] = field(default_factory=list)
    _crowd: list[str] = field(default_factory=list)
    _twin: str = ""
    _to_take_back: list[tuple[str, Change]] = field(default_factory=list)

    async def arrive(self) -> None:
        """Make the tools that are going to be linked."""
        for _ in range(FOREIGN_TOOLS):
            self._tools.append(await self._make({"type": "endCall"}))
        self._crowd = [await self._make({"type": "endCall"}) for _ in range(CROWD)]
        self._twin = await self._make({"type": "function", "function": {"name": OUR_TOOL}})

    async def _make(self, tool: dict[str, Any]) -> str:
        return str((await self.http.post("/tool", json=tool)).raise_for_status().json()["id"])

    async def assistant(self) -> str:
        """Make an assistant that carries nobody's mark; its id."""
        model = {"provider": "openai", "model": "gpt-4o", "toolIds": [self.dice.choice(self._tools)]}
        body = {"name": "Made by hand", "model": model, "metadata": {"team": "north"}}
        return str((await self.http.post("/assistant", json=body)).raise_for_status().json()["id"])

    async def edit(self, agent: Agent) -> None:
        """Change something of an assistant that is not the services'."""
        assert agent.assistant_id is not None
        agent.edited = True
        await self._patch(agent.assistant_id, self._change)

    async def hinder(self, agent: Agent) -> None:
        """Put something between an assistant's callers and our tool, or do something to the tool itself."""
        assert agent.assistant_id is not None
        agent.edited = True
        match self.dice.randrange(4 if self.leaves_tools_alone else 5):
            case 0:
                await self._plant(agent.assistant_id, "tools", TWIN)
            case 1:
                await self._plant(agent.assistant_id, "toolIds", self._twin)
            case 2:
                await self._patch(agent.assistant_id, lambda _: {"serverMessages": ["end-of-call-report"]})
                self._to_take_back.append((agent.assistant_id, lambda _: {"serverMessages": None}))
            case 3:
                await self._patch(agent.assistant_id, self._with_crowd)
            case _:
                await self._change_tool(agent.assistant_id)

    async def take_back(self) -> None:
        """Clear the way to our tools."""
        while self._to_take_back:
            await self._patch(*self._to_take_back.pop())

    async def all_called_home(self) -> bool:
        """Whether every tool of ours that was changed is called where it should be, or gone."""
        for tool_id in tuple(self.changed_tools):
            found = await self.http.get(f"/tool/{tool_id}")
            if found.is_success and found.json()["server"]["url"] == ELSEWHERE:
                return False
            self.changed_tools.discard(tool_id)
        return True

    async def _plant(self, assistant_id: str, key: str, what: object) -> None:
        def planted(read: dict[str, Any]) -> dict[str, Any]:
            return {"model": {**read["model"], key: [*(read["model"].get(key) or ()), what]}}

        def without(read: dict[str, Any]) -> dict[str, Any]:
            return {"model": {**read["model"], key: [one for one in read["model"].get(key) or () if one != what]}}

        await self._patch(assistant_id, planted)
        self._to_take_back.append((assistant_id, without))

    def _with_crowd(self, read: dict[str, Any]) -> dict[str, Any]:
        ids = [*self._crowd, *(read["model"].get("toolIds") or ())]
        return {"model": {**read["model"], "toolIds": list(dict.fromkeys(ids))}}

    async def _change_tool(self, assistant_id: str) -> None:
        """Delete the tool of ours that the assistant links, or send its calls elsewhere."""
        found = await self.http.get(f"/assistant/{assistant_id}")
        ids = found.json()["model"].get("toolIds") or [] if found.is_success else []
        for tool_id in ids:
            tool = await self.http.get(f"/tool/{tool_id}")
            if not tool.is_success or "organization_id" not in tool.text:
                continue
            if self.dice.random() < 0.5:
                self.deleted_tools.add(tool_id)
                await self.http.delete(f"/tool/{tool_id}")
            else:
                self.changed_tools.add(tool_id)
                server = {**tool.json()["server"], "url": ELSEWHERE}
                await self.http.patch(f"/tool/{tool_id}", json={"server": server})
            self.edits += 1
            return

    async def _patch(self, assistant_id: str, change: Change) -> None:
        found = await self.http.get(f"/assistant/{assistant_id}")
        if found.status_code == httpx.codes.NOT_FOUND:
            return
        changes = change(found.raise_for_status().json())
        self.touched.add(assistant_id)
        body = json.dumps(changes).encode()
        self.ledger.edit(assistant_id, body)
        answer = await self.http.patch(
            f"/assistant/{assistant_id}", content=body, headers={"Content-Type": "application/json"}
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

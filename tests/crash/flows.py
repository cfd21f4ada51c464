"""What clients do in a run: create, update, re-link, a rollout, a save by plain SQL, an exchange.

Every request goes into the ledger with what its client knows of it. A client whose request failed asks again.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, Literal

import httpx
from tests.crash.cell import Agent, Cell
from tests.crash.operator import rollout, spared, takeback

Flow = Literal["create", "update", "relink", "rollout", "takeback", "spared", "sql", "exchange"]

TRIES_SECONDS: Final = 25.0


async def create(cell: Cell, agents: Sequence[Agent]) -> None:
    """The first save of new agents, each of an org of its own."""
    await asyncio.gather(*(create_one(cell, agent, _prompt()) for agent in agents))


def new_agents(count: int) -> list[Agent]:
    """Agents that nobody has saved yet."""
    return [Agent(str(uuid.uuid4()), f"agent-{uuid.uuid4()}") for _ in range(count)]


async def update(cell: Cell, agents: Sequence[Agent]) -> None:
    """A save that changes the prompt."""
    await asyncio.gather(*(_update(cell, agent) for agent in agents))


async def relink(cell: Cell, agents: Sequence[Agent]) -> None:
    """Somebody takes our links off in the dashboard; then an auto-sync."""
    foreign = await _foreign_tool(cell)
    await asyncio.gather(*(_relink(cell, agent, foreign) for agent in agents))


async def auto_sync(cell: Cell, agents: Sequence[Agent]) -> None:
    """An auto-sync of each."""
    await asyncio.gather(*(_auto_sync(cell, agent) for agent in agents))


async def sql(cell: Cell, agents: Sequence[Agent]) -> None:
    """A save by somebody who writes to the table."""
    for agent in agents:
        prompt, started = _prompt(), time.time()
        await cell.api_db.execute(
            "UPDATE agents SET system_prompt = $3 WHERE org_id = $1 AND id = $2", uuid.UUID(agent.org_id),
            agent.agent_id, prompt,
        )  # fmt: skip
        cell.ledger.op("save", org=agent.org_id, agent=agent.agent_id, started=started, state="ok", prompt=prompt)


async def exchange(cell: Cell, agents: Sequence[Agent]) -> None:
    """Pairs of clinics give each other their assistants."""
    await asyncio.gather(*(_exchange(cell, *pair) for pair in zip(agents[::2], agents[1::2], strict=False)))


FLOWS: Final[dict[Flow, Callable[[Cell, Sequence[Agent]], Coroutine[Any, Any, None]]]] = {
    "create": create,
    "update": update,
    "relink": relink,
    "rollout": rollout,
    "takeback": takeback,
    "spared": spared,
    "sql": sql,
    "exchange": exchange,
}


async def create_one(cell: Cell, agent: Agent, prompt: str) -> None:
    """A new org and the first save of its agent, which is told ``prompt``."""
    org = {"id": agent.org_id, "name": "Clinic"}
    await _until_answered(cell, agent, "create_org", lambda: cell.http.post("/api/organizations", json=org))
    body = {"id": agent.agent_id, "orgId": agent.org_id, "name": "Front desk", "systemPrompt": prompt}
    await _until_answered(cell, agent, "save", lambda: cell.http.post("/api/agents", json=body), prompt)
    cell.agents.append(agent)


async def _update(cell: Cell, agent: Agent) -> None:
    prompt = _prompt()
    path = f"/api/agents/{agent.agent_id}?orgId={agent.org_id}"
    await _until_answered(cell, agent, "save", lambda: cell.http.patch(path, json={"systemPrompt": prompt}), prompt)


async def _auto_sync(cell: Cell, agent: Agent) -> None:
    body = {"agentId": agent.agent_id, "orgId": agent.org_id}
    await _until_answered(cell, agent, "auto_sync", lambda: cell.http.post("/api/assistants/auto-sync", json=body))


async def _exchange(cell: Cell, one: Agent, other: Agent) -> None:
    """An assistant has one agent at a time, so a third one, which nobody has, helps."""
    mine, theirs = [await _assistant_id(cell, agent) for agent in (one, other)]
    spare = {"name": "Made by hand", "model": {"provider": "openai", "model": "gpt-4o"}}
    made = (await cell.vapi.post("/assistant", json=spare)).raise_for_status().json()["id"]
    for agent, assistant_id in ((one, made), (other, mine), (one, theirs)):
        prompt = _prompt()
        body = {"systemPrompt": prompt, "vapiAssistantId": assistant_id}
        path = f"/api/agents/{agent.agent_id}?orgId={agent.org_id}"
        await _until_answered(cell, agent, "save", partial(cell.http.patch, path, json=body), prompt)


async def _assistant_id(cell: Cell, agent: Agent) -> str:
    found = await cell.api_db.fetchval(
        "SELECT vapi_assistant_id FROM agents WHERE org_id = $1 AND id = $2", uuid.UUID(agent.org_id), agent.agent_id
    )
    return str(found)


async def _foreign_tool(cell: Cell) -> str:
    if cell.foreign_tool is None:
        made = (await cell.vapi.post("/tool", json={"type": "endCall"})).raise_for_status()
        cell.foreign_tool = made.json()["id"]
    return cell.foreign_tool


async def _relink(cell: Cell, agent: Agent, foreign: str) -> None:
    assistant_id = await _assistant_id(cell, agent)
    assistant = (await cell.vapi.get(f"/assistant/{assistant_id}")).raise_for_status().json()
    model = {**assistant["model"], "temperature": 0.25, "toolIds": [foreign]}
    content = json.dumps({"model": model}).encode()
    cell.ledger.edit(assistant_id, content)
    headers = {"content-type": "application/json"}
    (await cell.vapi.patch(f"/assistant/{assistant_id}", content=content, headers=headers)).raise_for_status()
    await _auto_sync(cell, agent)


async def _until_answered(
    cell: Cell, agent: Agent, op: str, call: Callable[[], Awaitable[httpx.Response]], prompt: str | None = None
) -> None:
    """Ask until there is a clean answer. 409 after an unknown one: the earlier request did arrive."""
    until = time.monotonic() + TRIES_SECONDS
    unknown = False
    while True:
        started = time.time()
        fields: dict[str, Any] = {"org": agent.org_id, "agent": agent.agent_id, "started": started}
        if prompt is not None:
            fields["prompt"] = prompt
        try:
            answer = await call()
        except httpx.ConnectError as error:
            cell.ledger.op(op, state="fail", **fields)
            reason = repr(error)
        except httpx.HTTPError as error:
            cell.ledger.op(op, state="info", **fields)
            reason, unknown = repr(error), True
        else:
            if answer.status_code < 300:
                cell.ledger.op(op, state="ok", request_id=answer.json().get("requestId"), **fields)
                return
            arrived = answer.status_code == 409 and unknown
            cell.ledger.op(op, state="info" if answer.status_code >= 500 else "fail", **fields)
            if arrived:
                return
            unknown = unknown or answer.status_code >= 500
            reason = f"{answer.status_code} {answer.text}"
        assert time.monotonic() < until, (
            f"{cell.name}: {op} of {agent} was not answered in {TRIES_SECONDS:g} s: {reason}"
        )
        await asyncio.sleep(0.1)


def _prompt() -> str:
    return f"You answer the phone. canary-{uuid.uuid4()}"

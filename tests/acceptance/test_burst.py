"""Two hundred clinics at once: nobody is left out, and nobody is served twice."""

import asyncio
import time
from collections import Counter
from uuid import UUID

from .world import TOOL, World

ORGS = 200
ALL_SECONDS_MAX = 60.0


async def test_two_hundred_new_clinics_at_once_get_one_outcome_one_tool_and_one_assistant_each(world: World) -> None:
    async def save_first_assistant(number: int) -> tuple[UUID, dict[str, str]]:
        org_id = await world.organization(f"Clinic {number}")
        body = {"id": "front-desk", "orgId": str(org_id), "name": "Front desk", "systemPrompt": f"Clinic {number}."}
        answer = await world.http.post("/api/agents", json=body)
        assert answer.status_code in (200, 202), answer.text  # under load it may take longer than a client is kept
        return org_id, answer.json()

    until = time.monotonic() + ALL_SECONDS_MAX
    saved = dict(await asyncio.gather(*(save_first_assistant(number) for number in range(ORGS))))
    for answer in saved.values():
        await world.outcomes.of(UUID(answer["requestId"]), until=until)
    again = {}
    for org_id in list(saved)[::4]:
        sync = {"agentId": "front-desk", "orgId": str(org_id)}
        again[org_id] = (await world.http.post("/api/assistants/sync", json=sync)).json()
    for answer in again.values():
        await world.outcomes.of(UUID(answer["requestId"]), until=until)
    await world.quiet()

    creations = await world.vapi.creations()
    tools, assistants = await world.vapi.state()
    tool_ids = Counter(tool["parameters"][0]["value"] for tool in tools if tool["function"]["name"] == TOOL)
    made = {UUID(it["metadata"]["organization_id"]): it for it in assistants if it.get("metadata")}
    made_counts = Counter(UUID(it["metadata"]["organization_id"]) for it in assistants if it.get("metadata"))
    for org_id, answer in saved.items():
        requests = [UUID(it["requestId"]) for it in (answer, again.get(org_id)) if it is not None]
        published = world.outcomes.of_org(org_id)
        assert [it.outcome.sequence for it in published] == list(range(1, len(requests) + 1))
        assert [request.request_id for it in published for request in it.outcome.requests] == requests
        assert {tuple(it.tool_names) for it in published} == {(TOOL,)}
        assert (creations[org_id], tool_ids[str(org_id)], made_counts[org_id]) == (1, 1, 1)
        [tool] = published[0].outcome.tools
        assert made[org_id]["model"]["toolIds"] == [tool.vapi_tool_id]
        assert made[org_id]["id"] == published[0].outcome.assistant_id
    rows = await world.log_db.fetch(
        "SELECT org_id, count(*) AS tools FROM org_tools WHERE org_id = ANY($1) GROUP BY org_id", list(saved)
    )
    assert {row["org_id"]: row["tools"] for row in rows} == dict.fromkeys(saved, 1)

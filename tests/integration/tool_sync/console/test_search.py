"""The search field finds an assistant by whatever somebody has in hand, and a clinic finds its own alone."""

from dataclasses import replace
from uuid import uuid4

import pytest

from tool_sync.domain import events as e

from ..explain.clinic import Clinic
from ..explain.test_coverage import save
from .clinics import HOSTILE, Members, call
from .clinics import clinic_ as clinic_
from .clinics import member as member
from .conftest import Browser

TRACE = "0af7651916cd43dd8448eb211c80319c"


async def found(browser: Browser, text: str) -> list[str]:
    """The paths of the hits below ``/console``."""
    answer = await browser.client.get("/console/search", params={"q": text})
    assert answer.status_code == 200
    main = answer.text.split("<main")[1].split("</main>")[0]
    return [part.split('"')[0] for part in main.split('href="/console')[1:]]


async def test_an_assistant_by_its_name_a_request_and_a_trace(operator: Browser, clinic: Clinic) -> None:
    one = replace(save(), trace_id=TRACE)
    await clinic.happened(e.OrgRegistered("basic"), one, save("agent-2"))
    await call(clinic, "Anna am Empfang", "agent-1")
    here = f"/orgs/{clinic.org_id}/agents/agent-1"
    for text in ("anna", "ANNA AM", str(one.request_id), str(one.request_id).upper(), TRACE, TRACE.upper(), "agent-1"):
        assert await found(operator, text) == [here], text
    assert await found(operator, "Empfang") == [], "of all clinics only beginnings are looked for"
    assert await found(operator, str(uuid4())) == []
    assert await found(operator, "f" * 32) == []


async def test_a_clinic_finds_its_own_alone(clinic: Clinic, member: Members) -> None:
    one = replace(save(), trace_id=TRACE)
    other = uuid4()
    await clinic.happened(e.OrgRegistered("basic"), one)
    await clinic.happened(e.OrgRegistered("basic"), replace(save("agent-9"), trace_id=TRACE), org_id=other)
    await call(clinic, "Anna am Empfang", "agent-1")
    await call(clinic, "Anna", "agent-9", other)
    here = f"/orgs/{clinic.org_id}/agents/agent-1"
    own, stranger = await member(), await member(other)
    for text in ("empfang", "anna", str(one.request_id), TRACE, "agent-1"):
        assert await found(own, text) == [here], text
    for text in ("empfang", str(one.request_id), "agent-1", str(clinic.org_id)):
        assert await found(stranger, text) == [], text
    assert await found(stranger, TRACE) == [f"/orgs/{other}/agents/agent-9"]
    assert await found(own, "TS-301") == [], "the page of a code is the platform's"


async def test_many_of_one_name_are_cut(operator: Browser, clinic: Clinic) -> None:
    await clinic.happened(e.OrgRegistered("basic"))
    for n in range(40):
        await call(clinic, "Anna", f"agent-{n}")
    assert len(await found(operator, "Anna")) == 20


@pytest.mark.parametrize("name", [*HOSTILE, "\x00", "%", "_", " ", "'; --"])
async def test_any_text_may_be_looked_for(operator: Browser, clinic: Clinic, name: str) -> None:
    await clinic.happened(e.OrgRegistered("basic"), save())
    if name.strip("\x00 "):
        await call(clinic, name, "agent-1")
        assert await found(operator, name) == [f"/orgs/{clinic.org_id}/agents/agent-1"]
    assert "<script>alert" not in (await operator.client.get("/console/search", params={"q": name})).text


async def test_the_indexes_are_used(operator: Browser, clinic: Clinic) -> None:
    """As with a log of many events: a scan of all is forbidden, and nothing else than these indexes is left."""
    statements = {
        "events_save_request": "SELECT 1 FROM events WHERE type = 'SyncRequested' AND data ->> 'request_id' = 'x'",
        "events_save_trace": "SELECT 1 FROM events WHERE type = 'SyncRequested' AND data ->> 'trace_id' = 'x'",
        "display_names_of_agents": (
            "SELECT 1 FROM display_names d WHERE d.agent_id <> '' AND d.searched COLLATE \"C\" >= 'a' "
            'AND d.searched COLLATE "C" < \'b\' ORDER BY d.searched COLLATE "C", d.org_id, d.agent_id LIMIT 20'
        ),
    }
    async with clinic.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        for index, statement in statements.items():
            plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {statement}"))
            assert index in plan, plan

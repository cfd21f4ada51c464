"""A database that was restored while Kafka is away: noticed as soon as Kafka answers."""

from typing import Any

import asyncpg
import pytest
from tests.support.eventually import eventually

from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox

from ..harness import Vapi, make_settings, service_whatever_it_says, whole_service
from ..test_restore import begun
from .lines import Ways

BACK_SECONDS_MAX = 40


@pytest.mark.timeout(180)
async def test_it_is_noticed_when_kafka_is_back(
    ways: Ways, assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    settings = make_settings(
        assistant_api_db,
        sandbox,
        **await ways.names(),
        reconnect_seconds_max=0.5,
    )
    await ways.line.open()
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        await harness.agent(org_id, id="a")

        async def sent() -> bool:
            return bool(await harness.owner.fetchval("SELECT count(*) = 0 FROM outbox"))

        await eventually(sent)
    await ways.line.close()
    admin: Any = await asyncpg.connect(assistant_api_db.admin)
    await admin.execute("SET session_replication_role = replica")
    await admin.execute("DELETE FROM agents")
    await admin.close()

    async with service_whatever_it_says(settings, assistant_api_db, vapi) as harness:

        async def answers() -> bool:
            saved = await harness.post("/api/agents", {"id": "b", "name": "B"}, org_id)
            return saved.status_code in {200, 202, 409}

        await eventually(answers, within_seconds=BACK_SECONDS_MAX)
        await harness.provisioned("b", within_seconds=BACK_SECONDS_MAX)  # a save works without Kafka, as promised
        await ways.line.open()

        async def says_so() -> bool:
            return "ahead of the rows" in (await harness.http.get("/readyz")).text

        await eventually(says_so, within_seconds=BACK_SECONDS_MAX)
        await harness.post("/api/agents", {"id": "c", "name": "C"}, org_id)
        assert (await harness.row("c"))["attempt_id"] is None
        assert await harness.owner.fetchval("SELECT count(*) FROM outbox") > 0, "nothing is sent"
    await begun(assistant_api_db, settings)
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        await harness.provisioned("c", within_seconds=BACK_SECONDS_MAX)
    await ways.line.close()

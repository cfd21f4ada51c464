"""Outcomes are heard again after the broker and the database were away at once."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord
from tests.faults.proxy import BlackHole
from tests.support.eventually import eventually

from assistant_api.db import DatabaseUnavailable
from assistant_api.outcomes.handler import OutcomesHandler
from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox
from zerotouch_contracts.events import SettledRequest, SyncedTool, ToolsSynced

from ..harness import Vapi, make_settings, say, status_when, whole_service
from .lines import Ways

BACK_SECONDS_MAX = 40


@pytest.mark.timeout(180)
async def test_they_are_heard_after_both_were_away(
    ways: Ways, assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(
        assistant_api_db,
        sandbox,
        **await ways.names(),
    )
    handle, said, cut = OutcomesHandler.handle, asyncio.Event(), asyncio.Event()

    async def cut_off_at_first(handler: OutcomesHandler, records: Sequence[ConsumerRecord]) -> None:
        if not cut.is_set():
            await said.wait()  # who sends it hears of it by the same way
            proxy.mode = BlackHole()
            cut.set()
            raise DatabaseUnavailable("away, too")
        await handle(handler, records)

    monkeypatch.setattr(OutcomesHandler, "handle", cut_off_at_first)
    others = clients_that_fetch()
    proxy = await ways.line.open()
    try:
        async with whole_service(settings, assistant_api_db, vapi) as harness:
            org_id = await harness.organization()
            saved = await harness.agent(org_id, id="a")
            outcome = ToolsSynced(
                org_id=org_id,
                sequence=1,
                agent_id="a",
                assistant_id=saved["assistantId"],
                revision=1,
                tools=(SyncedTool(name="bookClinicAppointment", vapi_tool_id="t1", definition_version=1),),
                requests=(SettledRequest(request_id=saved["requestId"]),),
            )
            await say(settings, outcome)
            said.set()
            await asyncio.wait_for(cut.wait(), BACK_SECONDS_MAX)

            async def noticed() -> bool:
                return "away, too" in (harness.service.outcomes.problem or "")

            await eventually(noticed)
            await ways.line.close()
            await ways.line.open()

            await eventually(lambda: status_when(harness, "a", "synced"), within_seconds=BACK_SECONDS_MAX)
            assert clients_that_fetch() == others + 1, "nothing is left of the one before"
    finally:
        await ways.line.close()


def clients_that_fetch() -> int:
    return sum("coro=<Fetcher._fetch_requests_routine" in repr(task) for task in asyncio.all_tasks())

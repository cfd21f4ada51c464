"""A clinic's next assistant is made with the tools that its newest outcome names, where these are known for sure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from tests.support.eventually import eventually

from assistant_api.known_tools import read
from assistant_api.outcomes.apply import apply_outcomes
from assistant_api.restore.begin import begin_again
from assistant_api.restore.marked import Listing
from assistant_api.settings import Settings
from devstack.databases import DatabaseUrls
from devstack.fixtures import TestKafka
from devstack.sandbox import Sandbox
from zerotouch_contracts.events import SyncedTool, ToolsSynced, ToolSyncFailed
from zerotouch_contracts.subscriber import Delivered

from .harness import Harness, Vapi, make_settings, own_topics, say, whole_service

A, B = uuid4(), uuid4()
TOOL = str(uuid4())


@dataclass
class Clinic:
    """One clinic, what is heard of it, and what Vapi is told."""

    harness: Harness
    org_id: UUID
    vapi: Vapi

    def outcome(self, log: UUID, sequence: int, *ids: str, age_seconds: float = 1, failed: bool = False) -> Delivered:
        tools = tuple(
            SyncedTool(name=f"tool{n}", vapi_tool_id=tool_id, definition_version=1) for n, tool_id in enumerate(ids)
        )
        base: dict[str, Any] = {
            "org_id": self.org_id,
            "sequence": sequence,
            "agent_id": "first",
            "assistant_id": "assistant-1",
            "revision": 1,
            "tools": tools,
        }
        message = ToolSyncFailed(code="TS-307", **base) if failed else ToolsSynced(cause="recovered", **base)
        return Delivered(message, f"{log}-{sequence}", datetime.now(UTC) - timedelta(seconds=age_seconds), log)

    async def hear(self, *delivered: Delivered) -> None:
        """One batch."""
        async with self.harness.service.database.transaction() as connection:
            await apply_outcomes(connection, delivered)

    async def made_with(self) -> list[list[str] | None]:
        """Saves a new agent; the `toolIds` of each `POST /assistant` that this took."""
        before = len(await self.creations())
        await self.harness.agent(self.org_id, id=f"agent-{uuid4()}")
        return [body["model"].get("toolIds") for body in (await self.creations())[before:]]

    async def creations(self) -> list[dict[str, Any]]:
        """The bodies of all `POST /assistant`, refused ones too."""
        return [entry["body"] for entry in await self.vapi.requests("POST") if entry["path"] == "/assistant"]


@pytest_asyncio.fixture(loop_scope="session")
async def clinic(harness: Harness, vapi: Vapi, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """A clinic whose outcomes are read as soon as they are there."""
    monkeypatch.setattr(harness.service.outcomes, "behind_seconds", lambda: 0.0)
    return Clinic(harness, await harness.organization(), vapi)


async def test_a_clinic_of_which_nothing_was_heard_gets_an_assistant_without_tools(clinic: Clinic) -> None:
    assert await clinic.made_with() == [None]


async def test_a_second_assistant_is_made_with_the_tools_of_the_first(clinic: Clinic) -> None:
    await clinic.hear(clinic.outcome(A, 1, TOOL))
    assert await clinic.made_with() == [[TOOL]]


async def test_the_newest_outcome_decides_though_it_names_fewer_or_failed(clinic: Clinic) -> None:
    await clinic.hear(clinic.outcome(A, 1, TOOL, "other"), clinic.outcome(A, 2, TOOL))
    assert await clinic.made_with() == [[TOOL]]
    await clinic.hear(clinic.outcome(A, 3, TOOL, failed=True))
    assert await clinic.made_with() == [None]
    await clinic.hear(clinic.outcome(A, 4, TOOL))
    await clinic.hear(clinic.outcome(A, 2, TOOL, "other"))  # again
    assert await clinic.made_with() == [[TOOL]]
    await clinic.hear(clinic.outcome(A, 5))
    assert await clinic.made_with() == [None]


async def test_an_outcome_that_is_a_quarter_of_the_grace_old_is_not_used(clinic: Clinic) -> None:
    await clinic.hear(clinic.outcome(A, 1, TOOL, age_seconds=86_400 / 4 + 1))
    assert await clinic.made_with() == [None]


async def test_an_outcome_from_a_clock_that_is_ahead_ages_by_our_own(clinic: Clinic) -> None:
    await clinic.hear(clinic.outcome(A, 1, TOOL, age_seconds=-3_600))
    assert await clinic.made_with() == [[TOOL]]
    await clinic.harness.owner.execute("UPDATE known_tools SET stored_at = stored_at - interval '6 hours 1 second'")
    assert await clinic.made_with() == [None]


async def test_a_consumer_that_is_behind_knows_nothing(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    await clinic.hear(clinic.outcome(A, 1, TOOL))
    monkeypatch.setattr(clinic.harness.service.outcomes, "behind_seconds", lambda: 61.0)
    assert await clinic.made_with() == [None]


async def test_after_a_restore_of_the_log_only_what_the_new_log_says_counts(clinic: Clinic) -> None:
    await clinic.hear(clinic.outcome(A, 7, TOOL, age_seconds=60))
    await clinic.harness.owner.execute(
        "UPDATE followed_logs SET former = ARRAY[log_id], log_id = $1 WHERE org_id = $2", B, clinic.org_id
    )
    assert await clinic.made_with() == [None]
    await clinic.hear(clinic.outcome(B, 1, "anew"))
    assert await clinic.made_with() == [["anew"]]
    await clinic.hear(clinic.outcome(A, 8, TOOL))
    assert await clinic.made_with() == [["anew"]]


async def test_both_logs_in_one_batch_leave_what_the_newer_one_says(clinic: Clinic) -> None:
    await clinic.hear(clinic.outcome(A, 7, TOOL, age_seconds=60), clinic.outcome(B, 3, "anew", age_seconds=1))
    assert await clinic.made_with() == [["anew"]]


async def test_another_clinics_tools_are_not_known_here(clinic: Clinic) -> None:
    other = Clinic(clinic.harness, await clinic.harness.organization(), clinic.vapi)
    await other.hear(other.outcome(A, 1, TOOL))
    assert await clinic.made_with() == [None]


async def test_what_vapi_says_against_a_tool_does_not_cost_the_clinic_its_assistant(clinic: Clinic) -> None:
    await clinic.hear(clinic.outcome(A, 1, TOOL))
    await clinic.vapi.dial(strict_tool_ids=True)
    assert await clinic.made_with() == [[TOOL], None]
    assert len(await clinic.vapi.assistants()) == 1


async def test_a_creation_that_is_tried_again_asks_anew_what_is_known(
    hasty: Harness, vapi: Vapi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hasty.service.outcomes, "behind_seconds", lambda: 0.0)
    clinic = Clinic(hasty, await hasty.organization(), vapi)
    await clinic.hear(clinic.outcome(A, 1, TOOL))
    await vapi.break_route("POST /assistant", {"kind": "status", "status": 429, "retry_after": 1})
    await hasty.post("/api/agents", {"id": "late", "name": "Reception"}, clinic.org_id)
    await eventually(clinic.creations, within_seconds=5)
    await clinic.hear(clinic.outcome(A, 2))
    await vapi.dial()
    made = await hasty.provisioned("late", within_seconds=90)
    assert "toolIds" not in (await vapi.assistant(made["vapi_assistant_id"]))["model"]
    assert (await clinic.creations())[0]["model"]["toolIds"] == [TOOL]


async def test_an_update_never_names_tools_of_its_own(clinic: Clinic) -> None:
    await clinic.harness.agent(clinic.org_id, id="desk")
    await clinic.hear(clinic.outcome(A, 1, TOOL))
    await clinic.harness.patch("/api/agents/desk", {"firstMessage": "Hello."}, clinic.org_id)
    row = await clinic.harness.provisioned("desk")
    assert "toolIds" not in (await clinic.vapi.assistant(row["vapi_assistant_id"]))["model"]


async def test_a_restored_database_forgets_what_it_knew(clinic: Clinic) -> None:
    await clinic.hear(clinic.outcome(A, 1, TOOL))
    harness = clinic.harness
    async with harness.service.database.connection() as connection:
        assert await read(connection, clinic.org_id) is not None
    installation_id = await harness.owner.fetchval("SELECT installation_id FROM installation")

    async def stopped(_: object) -> None:
        """Nothing of it runs, as far as the command can tell."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assistant_api.restore.begin.require_stopped", stopped)
        await begin_again(harness.owner, "platform", installation_id, Listing(frozenset(), ()))
    async with harness.service.database.connection() as connection:
        assert await read(connection, clinic.org_id) is None


async def test_an_outcome_from_the_topic_is_known_to_the_next_creation(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, kafka: TestKafka, vapi: Vapi
) -> None:
    settings: Settings = make_settings(
        assistant_api_db,
        sandbox,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        **await own_topics(kafka),
        consumer_group=f"group-{uuid4()}",
    )
    async with whole_service(settings, assistant_api_db, vapi) as harness:
        clinic = Clinic(harness, await harness.organization(), vapi)
        message = clinic.outcome(A, 1, TOOL).message
        assert isinstance(message, ToolsSynced)
        await say(settings, message)

        async def known() -> object:
            async with harness.service.database.connection() as connection:
                return await read(connection, clinic.org_id)

        await eventually(known, within_seconds=10)
        assert harness.service.outcomes.behind_seconds() < 60
        assert await clinic.made_with() == [[TOOL]]

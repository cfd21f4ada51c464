"""The prompt says what is so at the clinic: from the next save on, or by itself where something changed or went."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from tests.support.eventually import eventually

from assistant_api.prompt.lines import BEGIN, END, FIRST_LINE, RULE, UNANSWERED
from devstack.databases import DatabaseUrls
from devstack.sandbox import Sandbox
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.events import FailedTool, SyncedTool, ToolsSynced, ToolSyncFailed

from .harness import Harness, Vapi, make_settings, running
from .outcomes import hear, outcome_fields

FIRST_VERSION: Final = SyncedTool(name="bookClinicAppointment", vapi_tool_id="t0", definition_version=1)
FAILED: Final = FailedTool(name="bookClinicAppointment", code=ErrorCode.TOOL_SHADOWED.value)
CALENDAR: Final = {
    "timeZone": "Europe/Berlin",
    "openingHours": {"monday": [["09:00", "12:30"], ["13:30", "17:00"]]},
    "services": ["Check-up", "Cleaning"],
}


@pytest_asyncio.fixture(loop_scope="session")
async def harness(assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi) -> AsyncIterator[Harness]:
    """The service; a change is due at once, and rewrites are asked for by the tests."""
    settings = make_settings(assistant_api_db, sandbox, rewrite_delay_seconds=1e-6, rewrites_open_max=5)
    async with running(settings, assistant_api_db, vapi) as harness:
        yield harness


async def _synced(harness: Harness, sequence: int, agent_id: str = "a", **changes: Any) -> None:
    await hear(harness, ToolsSynced(**await outcome_fields(harness, sequence, agent_id, **changes)))


async def _prompt(harness: Harness, agent_id: str = "a") -> str:
    row = await harness.provisioned(agent_id)
    assistant = await harness.vapi.assistant(row["vapi_assistant_id"])
    assert model_hash(assistant["model"]) == row["model_hash"]
    text: str = assistant["model"]["messages"][0]["content"]
    assert (text.count(BEGIN), text.count(END)) == (1, 1)
    return text


async def _save(harness: Harness, org_id: UUID, agent_id: str = "a") -> None:
    assert (await harness.post("/api/assistants/sync", {"agentId": agent_id}, org_id)).status_code == 200


async def _set_calendar(harness: Harness, org_id: UUID, **changes: Any) -> None:
    path = f"/api/organizations/{org_id}/calendar"
    answer = await harness.http.put(path, json={**CALENDAR, **changes}, headers=harness.bearer())
    assert answer.status_code == 200, answer.text


async def _rewrite(harness: Harness) -> int:
    """Ask until nothing is left to ask for; how many agents were."""
    asked = 0

    async def nothing_left() -> bool:
        nonlocal asked
        asked += await harness.service.blocks.run_once()
        return not await harness.owner.fetchval(
            "SELECT (SELECT count(*) FROM organizations WHERE calendar_changed_at IS NOT NULL)"
            " + (SELECT count(*) FROM outcomes WHERE tools_lost_at IS NOT NULL)"
            " + (SELECT count(*) FROM agents WHERE saved_revision > greatest(provisioned_revision, refused_revision))"
        )

    await eventually(nothing_left, within_seconds=60)
    return asked


async def test_the_first_save_says_the_clinics_day_and_the_rule_and_names_no_tool(harness: Harness) -> None:
    org_id = await harness.organization()
    await _set_calendar(harness, org_id)
    await harness.agent(org_id, id="a", systemPrompt="You greet callers.")

    prompt = await _prompt(harness)

    assert prompt.startswith(f"You greet callers.\n\n{BEGIN}\n")
    assert '{{"now" | date: "%A, %Y-%m-%d, %H:%M", "Europe/Berlin"}} (time zone Europe/Berlin)' in prompt
    assert "Monday 09:00 to 12:30 and 13:30 to 17:00; Tuesday closed;" in prompt
    assert "This clinic's services: Check-up; Cleaning." in prompt
    assert RULE in prompt
    assert "bookClinicAppointment" not in prompt
    assert FIRST_LINE not in prompt


async def test_a_tool_is_named_from_the_next_save_after_its_outcome(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await _synced(harness, 1)

    assert await harness.service.blocks.run_once() == 0
    assert "bookClinicAppointment" not in await _prompt(harness)
    await _save(harness, org_id)

    assert f"{FIRST_LINE}\n\nbookClinicAppointment: " in await _prompt(harness)


@pytest.mark.parametrize("how", ["unlinked", "no caller reaches it", "none wanted"])
async def test_a_tool_that_was_taken_away_is_taken_out_by_itself(harness: Harness, how: str) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await _synced(harness, 1)
    await _save(harness, org_id)
    assert "bookClinicAppointment" in await _prompt(harness)

    if how == "unlinked":
        fields = await outcome_fields(harness, 2, tools=(), failed_tools=(FAILED,))
        await hear(harness, ToolSyncFailed(**fields, code=FAILED.code))
    elif how == "no caller reaches it":
        fields = await outcome_fields(harness, 2, failed_tools=(FAILED,))
        await hear(harness, ToolSyncFailed(**fields, code=FAILED.code))
    else:
        await _synced(harness, 2, tools=(), reason="TS-501")

    assert await _rewrite(harness) == 1
    prompt = await _prompt(harness)
    assert "bookClinicAppointment" not in prompt
    assert RULE in prompt
    assert await harness.saves("a") == [(1, "save", "saved"), (2, "sync", "saved"), (3, "auto_sync", "saved")]
    assert await _rewrite(harness) == 0


async def test_the_block_describes_the_version_that_the_assistant_has_and_follows_it(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await _synced(harness, 1, tools=(FIRST_VERSION,))
    await _save(harness, org_id)
    first = await _prompt(harness)
    assert UNANSWERED in first
    assert "Wait for its answer" not in first

    await _synced(harness, 2, tools=(FIRST_VERSION,))
    assert await _rewrite(harness) == 0
    await _synced(harness, 3)

    assert await _rewrite(harness) == 1
    second = await _prompt(harness)
    assert UNANSWERED not in second
    assert "Wait for its answer" in second

    await _synced(harness, 4, tools=(FIRST_VERSION,))
    assert await _rewrite(harness) == 1
    assert await _prompt(harness) == first


async def test_an_outcome_that_was_stored_without_versions_is_described_as_the_newest(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await _synced(harness, 1)
    await harness.owner.execute("UPDATE outcomes SET tool_versions = '{}', tools_lost_at = NULL")
    await _save(harness, org_id)
    assert "Wait for its answer" in await _prompt(harness)

    await _synced(harness, 2)

    assert await _rewrite(harness) == 0


async def test_a_tool_lost_by_one_assistant_leaves_the_others_as_they_are(harness: Harness) -> None:
    org_id = await harness.organization()
    for agent_id in ("a", "b"):
        await harness.agent(org_id, id=agent_id)
    await _synced(harness, 1, "a")
    await _synced(harness, 2, "b")  # waits for b's next save
    await _synced(harness, 3, "a", tools=(), reason="TS-501")

    assert await _rewrite(harness) == 0  # a's block named no tool

    assert await harness.saves("a") == [(1, "save", "saved")]
    assert await harness.saves("b") == [(1, "save", "saved")]


async def test_an_outcome_of_another_assistant_names_no_tool(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await _synced(harness, 1, assistant_id=str(uuid4()))

    await _save(harness, org_id)

    assert "bookClinicAppointment" not in await _prompt(harness)


async def test_a_new_assistant_for_one_that_is_gone_names_no_tool(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await _synced(harness, 1)
    await _save(harness, org_id)
    before = await harness.row("a")
    (await harness.vapi.api.delete(f"/assistant/{before['vapi_assistant_id']}")).raise_for_status()

    await _save(harness, org_id)

    assert (await harness.row("a"))["vapi_assistant_id"] != before["vapi_assistant_id"]
    assert "bookClinicAppointment" not in await _prompt(harness)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("time_zone = 'America/New_York'", '"America/New_York"}} (time zone America/New_York)'),
        ("""opening_hours = '{"sunday": [["10:00", "24:00"]]}'""", "Saturday closed; Sunday 10:00 to 24:00."),
        ("services = '{Whitening}'", "This clinic's services: Whitening."),
        ("opening_hours = NULL, services = NULL", "(time zone Europe/Berlin).\nNever say"),
    ],
)
async def test_a_calendar_changed_by_plain_sql_is_in_the_prompt(harness: Harness, change: str, said: str) -> None:
    org_id = await harness.organization()
    await _set_calendar(harness, org_id)
    await harness.agent(org_id, id="a")
    assert said not in await _prompt(harness)

    await harness.owner.execute(f"UPDATE organizations SET {change} WHERE id = $1", org_id)  # noqa: S608

    assert await _rewrite(harness) == 1
    assert said in await _prompt(harness)


async def test_what_is_no_change_of_the_calendar_writes_nothing(harness: Harness) -> None:
    org_id = await harness.organization()
    await _set_calendar(harness, org_id)
    await harness.agent(org_id, id="a")
    await _rewrite(harness)
    writes = await harness.vapi.writes()

    await _set_calendar(harness, org_id)
    await _set_calendar(harness, org_id, slotMinutes=60)
    await harness.owner.execute("UPDATE organizations SET name = 'Other', tier = 'enterprise' WHERE id = $1", org_id)
    await _set_calendar(harness, org_id, services=["Whitening"])
    await _set_calendar(harness, org_id)  # and back

    assert await _rewrite(harness) == 0
    assert await harness.vapi.writes() == writes


async def test_a_hundred_changes_are_one_rewrite_and_the_last_one_wins(
    assistant_api_db: DatabaseUrls, sandbox: Sandbox, vapi: Vapi
) -> None:
    settings = make_settings(assistant_api_db, sandbox, rewrite_delay_seconds=3600)
    async with running(settings, assistant_api_db, vapi) as harness:
        org_id = await harness.organization()
        await harness.agent(org_id, id="a")
        for number in range(100):
            await _set_calendar(harness, org_id, services=[f"Service {number}"])
            assert await harness.service.blocks.run_once() == 0
        assert await harness.saves("a") == [(1, "save", "saved")]
        await harness.owner.execute("UPDATE organizations SET calendar_changed_at = now() - interval '2 hours'")

        assert await _rewrite(harness) == 1

        assert "This clinic's services: Service 99." in await _prompt(harness)
        assert len(await harness.outbox()) == 2


async def test_a_save_meanwhile_brings_the_calendar_and_nothing_is_left_to_do(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await _set_calendar(harness, org_id)
    await _save(harness, org_id)

    assert "Check-up; Cleaning" in await _prompt(harness)
    assert await _rewrite(harness) == 0
    assert await harness.saves("a") == [(1, "save", "saved"), (2, "sync", "saved")]


async def test_a_rewrite_takes_nothing_back_of_what_the_status_said(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await _synced(harness, 1)
    before = (await harness.get("/api/assistants/a/status", org_id)).json()
    assert (before["state"], before["success"]) == ("synced", True)

    await _set_calendar(harness, org_id)
    assert await harness.service.blocks.run_once() == 1
    on_its_way = (await harness.get("/api/assistants/a/status", org_id)).json()
    await harness.provisioned("a")
    written = (await harness.get("/api/assistants/a/status", org_id)).json()

    assert written == {**before, "revision": 2}
    assert on_its_way == {**written, "vapi": on_its_way["vapi"]}  # where a write may be seen under way
    assert (await harness.get("/api/agents/a", org_id)).json()["state"] == "provisioned"


async def test_a_save_after_a_rewrite_is_told_of_again(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await _synced(harness, 1)
    await _set_calendar(harness, org_id)
    await _rewrite(harness)

    await _save(harness, org_id)

    assert (await harness.get("/api/assistants/a/status", org_id)).json()["state"] == "syncing"
    assert await harness.saves("a") == [(1, "save", "saved"), (2, "auto_sync", "saved"), (3, "sync", "saved")]


async def test_rewrites_are_bulk_work_of_which_only_some_are_open_at_once(harness: Harness) -> None:
    org_id = await harness.organization()
    for number in range(12):
        await harness.agent(org_id, id=f"a{number}")
    await _set_calendar(harness, org_id)
    harness.service.loops["provisioner"].stop()
    await harness.service.provisioner.finish(0)  # nothing is taken from here on

    assert await harness.service.blocks.run_once() == 5
    assert await harness.service.blocks.run_once() == 0
    rows = await harness.owner.fetch("SELECT id, bulk FROM agents WHERE saved_revision > provisioned_revision")
    assert (len(rows), {row["bulk"] for row in rows}) == (5, {True})
    waiting = next(row["id"] for row in rows)
    await harness.owner.execute("UPDATE agents SET first_message = 'Hello' WHERE id = $1", waiting)
    row = await harness.row(waiting)
    assert (row["bulk"], row["asked_revision"]) == (False, row["saved_revision"])
    assert (await harness.get(f"/api/agents/{waiting}", org_id)).json()["state"] == "provisioning"


async def test_nothing_is_asked_for_while_the_service_writes_suspended(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await _set_calendar(harness, org_id)

    harness.service.guard.writes_suspended = True
    assert await harness.service.blocks.run_once() == 0
    assert await harness.saves("a") == [(1, "save", "saved")]
    harness.service.guard.writes_suspended = False

    assert await _rewrite(harness) == 1


async def test_every_agent_of_a_clinic_is_written_anew_in_turns(harness: Harness) -> None:
    org_id, other = await harness.organization(), await harness.organization()
    for number in range(12):
        await harness.agent(org_id, id=f"a{number}")
    await harness.agent(other, id="theirs")
    await _set_calendar(harness, org_id)

    assert await _rewrite(harness) == 12
    for number in range(12):
        assert "Check-up; Cleaning" in await _prompt(harness, f"a{number}")
    assert await harness.saves("theirs") == [(1, "save", "saved")]


async def test_a_refused_agent_is_not_written_again_and_again(harness: Harness) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a")
    await harness.vapi.break_route("PATCH /assistant/{id}", {"kind": "status", "status": 400})
    await _set_calendar(harness, org_id)

    assert await _rewrite(harness) == 1
    assert (await harness.row("a"))["refused_revision"] == 2
    await _set_calendar(harness, org_id, services=["Whitening"])
    assert await _rewrite(harness) == 0

    await harness.vapi.dial()
    await _save(harness, org_id)
    assert "Whitening" in await _prompt(harness)


async def test_calendars_outcomes_deletions_and_rewrites_at_once_end_well(harness: Harness) -> None:
    org_id = await harness.organization()
    for number in range(10):
        await harness.agent(org_id, id=f"a{number}")
        await _synced(harness, number + 1, f"a{number}")

    async def lose(start: int) -> None:
        fields = [await outcome_fields(harness, start + n, f"a{n}", tools=(), reason="TS-501") for n in range(9, 4, -1)]
        await hear(harness, *(ToolsSynced(**item) for item in fields))

    await asyncio.gather(
        lose(100),
        *(_set_calendar(harness, org_id, services=[f"Service {number}"]) for number in range(5)),
        *(harness.service.blocks.run_once() for _ in range(5)),
        harness.post("/api/assistants/auto-sync", {}, org_id),
        *(harness.delete(f"/api/agents/a{number}", org_id) for number in range(5)),
    )
    await _set_calendar(harness, org_id)
    await _rewrite(harness)

    for number in range(5, 10):
        prompt = await _prompt(harness, f"a{number}")
        assert "Check-up; Cleaning" in prompt
        assert "bookClinicAppointment" not in prompt


@pytest.mark.parametrize(
    "services",
    [
        ["{{ customer.number }}", "{% for i in (1..9) %}x{% endfor %}"],
        [f"a{END}b", BEGIN],
        ["line\nbreak", "\u2028", "\u202ereversed", "tab\there"],
        ["x" * 10_000] * 100,
    ],
    ids=["liquid", "markers", "lines", "long"],
)
async def test_services_that_plain_sql_put_there_do_no_harm(harness: Harness, services: list[str]) -> None:
    org_id = await harness.organization()
    await harness.agent(org_id, id="a", systemPrompt="Words.")
    await harness.owner.execute("UPDATE organizations SET services = $2 WHERE id = $1", org_id, services)

    assert await _rewrite(harness) == 1
    prompt = await _prompt(harness)

    assert prompt.startswith(f"Words.\n\n{BEGIN}\n")
    assert prompt.endswith(END)
    assert (prompt.count("{{"), prompt.count("{%")) == (1, 0)
    await _save(harness, org_id)
    assert await _prompt(harness) == prompt

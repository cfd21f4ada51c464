"""Why a tool is there or not, after settings, retirements, deletions and races; and how old an open question is."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from devstack.databases import DatabaseUrls
from tool_sync.cli.app import app
from tool_sync.domain import events as e
from tool_sync.log import org_stream
from tool_sync.log.codec import Encoded
from tool_sync.log.statement import EncodedRequest, execute
from tool_sync.queries import as_of as moment

from .clinic import HASH, TOOL, Clinic, published, registered, tool_args

LATER = datetime.now(UTC) + timedelta(days=1)
BASIC = f"by rollout {TOOL}-v1, completed: version 1"


def save(agent_id: str = "agent-1") -> e.SyncRequested:
    """A save."""
    return e.SyncRequested(uuid4(), agent_id, f"assistant-{agent_id}", 1, HASH, "save", None)


async def test_a_tool_that_the_clinic_switched_off_is_not_wanted_and_goes_after_its_grace(clinic: Clinic) -> None:
    await clinic.happened(published(), e.OrgRegistered("basic"), save(), registered())
    await clinic.happened(e.ToolSettingChanged(TOOL, False))
    why = await clinic.why()
    at = datetime.fromisoformat(why["setting"]["changed_at"])
    assert (why["wanted"], why["rule"]) == (
        False,
        f"switched off by test at {at:%Y-%m-%d %H:%M:%S} UTC; without that {BASIC}",
    )
    assert (why["condition"], why["retired"]) == ("registered", None)  # the worker has not come by yet

    await clinic.happened(e.ToolRetired(*tool_args(), "setting", LATER))
    why = await clinic.why()
    assert (why["wanted"], why["condition"], why["vapi_tool_id"]) == (False, "retired", "tool-1")
    assert why["retired"]["reason"] == "setting"
    assert datetime.fromisoformat(why["retired"]["delete_at"]) == LATER
    assert why["outlook"]["next"] == "it is deleted at Vapi, if no assistant links it by then"
    assert datetime.fromisoformat(why["outlook"]["at"]) == LATER
    assert [told["type"] for told in why["events"]] == [
        "OrgRegistered", "ToolRegistered", "ToolSettingChanged", "ToolRetired",
    ]  # fmt: skip

    await clinic.happened(e.ToolDeleteStarted(uuid4(), "platform", TOOL, "tool-1", LATER))
    why = await clinic.why()
    assert (why["condition"], why["vapi_tool_id"]) == ("unknown", "tool-1")


async def test_an_assistant_does_not_miss_what_its_clinic_switched_off(clinic: Clinic) -> None:
    await clinic.happened(published(), e.OrgRegistered("basic"), save())
    path = "/v1/assistants/agent-1/explain"
    (before,) = (await clinic.ask(path)).json()["assistants"]
    assert ([tool["name"] for tool in before["missing"]], before["wanted"]) == ([TOOL], [TOOL])
    await clinic.happened(e.ToolSettingChanged(TOOL, False), e.RetryRequested(None), e.RetryRequested("agent-2"))
    (after,) = (await clinic.ask(path)).json()["assistants"]
    assert (after["missing"], after["wanted"]) == ([], [])
    assert [(told["type"], told["data"].get("agent_id", "-")) for told in after["events"]] == [
        ("SyncRequested", "agent-1"), ("ToolSettingChanged", "-"), ("RetryRequested", None),
    ]  # fmt: skip


async def test_a_tool_of_a_higher_tier_and_one_that_nobody_needs_any_more(clinic: Clinic) -> None:
    await clinic.happened(published(tier="professional"), e.OrgRegistered("professional"), registered())
    assert (await clinic.why())["wanted"] is True
    await clinic.happened(e.ToolRetired(*tool_args(), "unused", LATER))
    why = await clinic.why()
    assert (why["wanted"], why["condition"]) == (False, "retired")
    assert why["rule"].endswith("the organization's tier is professional; no assistant is left that needs it")
    await clinic.happened(e.OrgTierChanged("basic"))
    why = await clinic.why()
    assert (why["wanted"], why["rule"].endswith("for a higher tier than basic, the organization's")) == (
        False,
        True,
    )


async def test_a_doomed_tool_and_the_surplus_ones_are_shown(clinic: Clinic) -> None:
    made = datetime(2026, 11, 1, tzinfo=UTC)
    started = e.ToolDeleteStarted(uuid4(), "platform", TOOL, "tool-1", LATER)
    await clinic.happened(
        published(), e.OrgRegistered("basic"), registered(), e.ToolRetired(*tool_args(), "setting", LATER), started,
        e.SyncAttemptFailed(f"tool:{TOOL}", started.attempt_id, "absent", "TS-101", 1, LATER),
        e.SurplusFound("platform", TOOL, "tool-9", made), e.SurplusFound("platform", "another", "tool-8", None),
    )  # fmt: skip
    why = await clinic.why()
    assert (why["retired"]["doomed"], why["condition"], why["failure_code"]) == (True, "failed", "TS-101")
    (surplus,) = why["surplus"]
    assert surplus["vapi_tool_id"] == "tool-9"
    assert datetime.fromisoformat(surplus["since"]) == made
    assert surplus["unknown_seconds"] is None
    await clinic.happened(e.SurplusDeleteStarted(uuid4(), "platform", TOOL, "tool-9"))
    assert (await clinic.why())["surplus"][0]["unknown_seconds"] >= 0


async def test_the_age_of_an_open_question_is_told_as_of_the_time_that_was_asked_about(
    clinic: Clinic, tool_sync_db: DatabaseUrls
) -> None:
    link = e.AssistantLinkStarted(uuid4(), "platform", "agent-1", "assistant-agent-1", 1, HASH, ())
    await clinic.happened(published(), e.OrgRegistered("basic"), save())
    await clinic.happened(e.ToolRegistrationStarted(uuid4(), "platform", TOOL, 1, HASH), link)
    why = await clinic.why()
    assert why["condition"] == "unknown"
    assert 0 <= why["unknown_seconds"] < 60
    started = datetime.fromisoformat(why["unknown_since"])
    then = (started + timedelta(seconds=90)).isoformat()
    assert (await clinic.why(at=then))["unknown_seconds"] == 90
    (told,) = (await clinic.ask("/v1/assistants/agent-1/explain", at=then)).json()["assistants"]
    assert 0 < told["unknown_seconds"] <= 90
    (told,) = (await clinic.ask("/v1/assistants/agent-1/explain")).json()["assistants"]
    assert 0 <= told["unknown_seconds"] < 60

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, [*arguments, "--database-url", tool_sync_db.service])
        assert done.exit_code == 0, done.output
        return done.stdout

    stamp = f"{started + timedelta(seconds=90):%Y-%m-%dT%H:%M:%S.%fZ}"
    assert ", 90 s" in await asyncio.to_thread(run, "why", str(clinic.org_id), TOOL, "--at", stamp)
    assert "a write to Vapi has no answer since" in await asyncio.to_thread(run, "explain", "agent-1")


@pytest.mark.parametrize(("type_name", "schema"), [("Unheard", 1), ("OrgTierChanged", 9)])
async def test_an_event_of_a_newer_release_is_named_instead_of_explained_away(
    clinic: Clinic, tool_sync_db: DatabaseUrls, type_name: str, schema: int
) -> None:
    await clinic.happened(published(), e.OrgRegistered("basic"), save())
    before = datetime.now(UTC).isoformat()
    stream = org_stream(clinic.org_id)
    strange = Encoded(type_name, schema, '{"tier": "basic"}')
    async with clinic.pool.acquire() as connection:
        await execute(connection, [EncodedRequest(stream, clinic.org_id, None, "{}", (uuid4(),), (strange,))])
    for path in (f"/v1/orgs/{clinic.org_id}/tools/{TOOL}/why", "/v1/assistants/agent-1/explain"):
        answer = await clinic.ask(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "TS-910")
        assert f"position 6: {type_name} schema {schema}" in answer.json()["detail"]
        assert (await clinic.ask(path, at=before)).status_code == 200  # what came before is as it was
    arguments = ["why", str(clinic.org_id), TOOL, "--database-url", tool_sync_db.service]
    done = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert (done.exit_code, f"position 6: {type_name}" in done.stderr) == (2, True)


async def test_a_past_that_lies_many_pages_back_is_folded_page_by_page(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves = [save(f"agent-{number}") for number in range(9)]
    await clinic.happened(published(), e.OrgRegistered("basic"), *saves, registered())
    whole = await clinic.why()
    monkeypatch.setattr(moment, "PAGE_EVENTS", 2)
    by_pages = await clinic.why()
    assert (by_pages.pop("outlook"), whole.pop("outlook")) != (None, None)
    assert by_pages == whole
    (told,) = (await clinic.ask("/v1/assistants/agent-8/explain")).json()["assistants"]
    assert len(told["open_requests"]) == 1

"""``why`` and ``explain`` say "as wanted" only where it is so: each reason that makes it false is told by its name."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from devstack.databases import DatabaseUrls
from tool_sync.domain import events as e
from tool_sync.vapi.rate_limit import KeyLimits, KeyTable, SharedKey
from zerotouch_contracts.errors import CATALOGUE, ErrorCode

from ..command import command
from .clinic import HASH, TOOL, Clinic, published, registered, tool_args
from .test_coverage import OTHER, SAVED_AT, another_tool, equipped, failed, save, synced

AS_WANTED = "nothing: it is as wanted"
LATER = datetime.now(UTC) + timedelta(hours=1)


async def explained(clinic: Clinic, agent_id: str = "agent-1") -> dict[str, Any]:
    answer = await clinic.ask(f"/v1/assistants/{agent_id}/explain")
    assert answer.status_code == 200, answer.text
    (one,) = answer.json()["assistants"]
    found: dict[str, Any] = one["outlook"]
    return found


async def settle(clinic: Clinic) -> None:
    """Everything that waits for a worker has been looked through."""
    await clinic.pool.execute(
        "INSERT INTO leases (org_id, processed_position) SELECT $1, max(position) FROM events "
        "ON CONFLICT (org_id) DO UPDATE SET processed_position = excluded.processed_position",
        clinic.org_id,
    )


def attempt_failed(subject: str, code: str, retry_at: datetime | None) -> e.SyncAttemptFailed:
    return e.SyncAttemptFailed(subject, None, "refused", code, 1, retry_at, HASH)


async def pause(clinic: Clinic, code: str = "TS-201") -> None:
    key = SharedKey(KeyTable(clinic.pool, "the-key"), KeyLimits(None, 1.0), monotonic=lambda: 0.0)
    await key.note("refused", datetime.now(UTC), 0.5, None, code)


async def test_where_nothing_is_wrong_it_is_as_wanted(clinic: Clinic) -> None:
    await equipped(clinic)
    await settle(clinic)
    assert await explained(clinic) == {"next": AS_WANTED, "at": None, "reasons": []}
    assert (await clinic.why())["outlook"] == {"next": AS_WANTED, "at": None, "reasons": []}


Wrong = Callable[[Clinic], Awaitable[None]]


def events(*what: e.Event) -> Wrong:
    async def happen(clinic: Clinic) -> None:
        await clinic.happened(*what)

    return happen


REASONS: dict[str, tuple[Wrong, str, str | None]] = {
    "Vapi refused the tool": (events(attempt_failed(f"tool:{TOOL}", "TS-301", None)), "failed", "TS-301"),
    "the tool waits for a retry": (events(attempt_failed(f"tool:{TOOL}", "TS-102", LATER)), "failed", "TS-102"),
    "Vapi refused the assistant": (events(attempt_failed("agent:agent-1", "TS-302", None)), "last try", "TS-302"),
    "another tool of the name": (events(failed("agent-1", "TS-307", "tool-1")), "newest outcome", "TS-307"),
    "another clinic's assistant": (events(failed("agent-1", "TS-312")), "newest outcome", "TS-312"),
    "a new tool": (events(another_tool()), f"{OTHER} is wanted", None),
    "a new version": (events(published(2, definition_hash="b" * 64)), "version 2", None),
    "the tool is gone": (events(e.ToolVanished("platform", TOOL, "tool-1", 1, HASH)), f"{TOOL} is wanted", None),
    "made anew": (
        events(e.ToolVanished("platform", TOOL, "tool-1", 1, HASH), registered(tool_id="tool-2")),
        "names an older tool", None,
    ),
    "changed at Vapi": (events(e.ToolDriftSeen("platform", TOOL, "tool-1", False)), "somebody changed", None),
    "deleted at Vapi": (events(e.ToolDriftSeen("platform", TOOL, "tool-1", True)), "somebody deleted", None),
    "switched off, still linked": (events(e.ToolSettingChanged(TOOL, False)), "not wanted any more", None),
    "an open save": (events(save(revision=2)), "no outcome yet", None),
    "the key is refused": (pause, "key is paused", "TS-201"),
    "an unanswered link": (
        events(e.AssistantLinkStarted(uuid4(), "platform", "agent-1", "assistant-agent-1", 1, HASH, ())),
        "no answer yet", "TS-104",
    ),
    "an unanswered update": (
        events(e.ToolUpdateStarted(uuid4(), "platform", TOOL, "tool-1", 2, HASH)), "no answer yet", "TS-104",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REASONS)
async def test_each_of_these_makes_it_false_for_an_assistant(clinic: Clinic, name: str) -> None:
    wrong, what, code = REASONS[name]
    await equipped(clinic)
    await wrong(clinic)
    await settle(clinic)
    outlook = await explained(clinic)
    assert "as wanted" not in outlook["next"]
    (told,) = [r for r in outlook["reasons"] if what in r["what"] and r["code"] == code]
    assert (told["who_acts"] is not None, told["what_to_do"] is not None) == (code is not None, code is not None)


@pytest.mark.parametrize(
    "name", sorted(REASONS.keys() - {"a new tool", "an open save", "Vapi refused the assistant", "an unanswered link"})
)
async def test_each_of_these_makes_it_false_for_a_tool(clinic: Clinic, name: str) -> None:
    await equipped(clinic)
    await REASONS[name][0](clinic)
    await settle(clinic)
    outlook = (await clinic.why())["outlook"]
    assert "as wanted" not in outlook["next"]
    assert outlook["reasons"]


async def test_after_vapi_refused_the_tool_the_end_says_who_has_to_act(
    clinic: Clinic, tool_sync_db: DatabaseUrls
) -> None:
    await clinic.happened(published(), e.OrgRegistered("basic"), save())
    await clinic.happened(attempt_failed(f"tool:{TOOL}", "TS-301", None), failed("agent-1", "TS-301"))
    await settle(clinic)
    outlook = await explained(clinic)
    assert outlook["next"].startswith("nothing until a save")
    code, text, _ = await command("explain", "agent-1", database_url=tool_sync_db.service)
    assert code == 0
    assert "as wanted" not in text
    entry = CATALOGUE[ErrorCode.TOOL_REFUSED]
    assert f"{entry.who_acts}: {entry.what_to_do}" in " ".join(text.split())


async def test_a_tool_that_was_just_ordered_and_that_nobody_has_yet_says_so(clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(another_tool())
    await settle(clinic)
    why = (await clinic.ask(f"/v1/orgs/{clinic.org_id}/tools/{OTHER}/why")).json()
    assert (why["wanted"], why["condition"]) == (True, "missing")
    assert why["outlook"]["next"].startswith("an order gives it")
    assert "does not have it at Vapi yet" in why["outlook"]["reasons"][0]["what"]
    assert "agent-1" in why["outlook"]["reasons"][-1]["what"]


async def test_what_stands_between_callers_and_a_tool_is_told_by_why(clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(
        *[event for n in range(2, 9) for event in (save(f"a{n}"), failed(f"a{n}", "TS-309", "tool-1"))]
    )
    await settle(clinic)
    (reason,) = (await clinic.why())["outlook"]["reasons"]
    assert reason["what"] == "callers of 7 assistant(s) do not reach it: a2, a3, a4, a5, a6 and 2 more"
    assert (reason["code"], reason["who_acts"]) == ("TS-309", "clinic")


@pytest.mark.parametrize(
    ("events_", "code"),
    [
        ((e.ToolSettingChanged(TOOL, False),), "TS-501"),
        ((published(2, "enterprise"),), "TS-502"),
    ],
)
async def test_no_tools_is_not_called_as_wanted_and_says_who_decided_it(
    clinic: Clinic, events_: tuple[e.Event, ...], code: str
) -> None:
    await clinic.happened(published(), e.OrgRegistered("basic"), save(), *events_)
    none = e.AssistantSynced("agent-1", "assistant-agent-1", 1, "platform", (), (), SAVED_AT, None, None, code)
    await clinic.happened(none)
    await settle(clinic)
    outlook = await explained(clinic)
    assert outlook["next"] == "nothing: no tool is wanted"
    (reason,) = outlook["reasons"]
    assert (reason["code"], reason["who_acts"]) == (code, "platform operator")


async def test_who_is_gone_is_told_to_be_gone(clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(e.AssistantRemoved("agent-1", None))
    await settle(clinic)
    assert (await explained(clinic))["next"] == "nothing: the assistant was deleted"
    await clinic.happened(e.OrgClosed())
    await settle(clinic)
    assert (await explained(clinic))["next"] == "nothing: the organization was deleted"


async def test_an_unknown_tool_name_is_an_error_that_names_the_known_ones(
    clinic: Clinic, tool_sync_db: DatabaseUrls
) -> None:
    await equipped(clinic)
    answer = await clinic.ask(f"/v1/orgs/{clinic.org_id}/tools/bookClinicApointment/why")
    assert (answer.status_code, answer.json()["code"]) == (404, "TS-904")
    assert f"there is no tool bookClinicApointment; the tools are {TOOL}" in answer.json()["detail"]
    code, text, error = await command("why", str(clinic.org_id), "x", database_url=tool_sync_db.service)
    assert (code, text) == (2, "")
    assert f"there is no tool x; the tools are {TOOL}" in error


async def test_a_tool_that_is_not_published_any_more_and_was_the_clinics_is_known(clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(
        registered("olderTool", "tool-7"), e.ToolRetired(*tool_args("olderTool", "tool-7"), "tier", LATER)
    )
    answer = await clinic.ask(f"/v1/orgs/{clinic.org_id}/tools/olderTool/why")
    assert (answer.status_code, answer.json()["wanted"], answer.json()["condition"]) == (200, False, "retired")


async def test_a_tool_that_is_neither_wanted_nor_there_needs_nothing(clinic: Clinic) -> None:
    await clinic.happened(published(1, "enterprise"), e.OrgRegistered("basic"), save())
    await settle(clinic)
    assert (await clinic.why())["outlook"]["next"] == "nothing: it is not wanted"


async def test_a_clinic_sees_that_the_key_is_paused_and_not_which_key(clinic: Clinic) -> None:
    await equipped(clinic)
    await pause(clinic, "TS-202")
    token = clinic.signer.org_token(str(clinic.org_id))
    answer = await clinic.ask("/v1/assistants/agent-1/explain", token=token)
    assert answer.status_code == 200
    assert "TS-202" in answer.text
    assert "the-key" not in answer.text


async def test_the_old_outcome_of_a_new_life_is_no_all_clear(clinic: Clinic) -> None:
    await equipped(clinic)
    await clinic.happened(e.AssistantRemoved("agent-1", None, 1), save(revision=2), synced("agent-1", "tool-1"))
    await settle(clinic)
    outlook = await explained(clinic)
    assert outlook["next"] != AS_WANTED

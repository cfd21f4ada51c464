"""A clinic switches a tool off and on by itself, and every answer says who did, when and why."""

import re
from datetime import datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from devstack.databases import DatabaseUrls
from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import EventLog
from tool_sync.queries.tool_settings import setting_of, settings_at

from ..command import command
from .desk import BOOK, CANCEL, Desk

WHY = "closed for renovation"


def refused(answer: Any, status: int, *words: str) -> str:
    """The detail of a problem with this status, which has these words."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    detail: str = answer.json()["detail"]
    assert all(word in detail for word in words), detail
    return detail


async def test_a_clinic_switches_a_tool_off_and_is_told_who_when_and_why(desk: Desk) -> None:
    answer = await desk.put(False, WHY)
    assert answer.status_code == 202
    said = answer.json()
    assert (said["enabled"], said["reason"], said["custom_config"]) == (False, WHY, {})
    assert said["watch"] == desk.path(f"tools/{BOOK}/why")
    assert answer.headers["etag"] == f'"{said["position"]}"'
    assert await desk.get() == said
    (stored,) = await desk.stored()
    assert stored["data"] == {"name": BOOK, "enabled": False, "reason": WHY}
    assert (stored["actor"], said["actor"]) == (said["actor"], stored["actor"])
    assert said["actor"].startswith("org:")

    why = await desk.get(f"tools/{BOOK}/why")
    at = datetime.fromisoformat(said["changed_at"])
    sentence = f"switched off by the clinic ({said['actor'][4:]}) at {at:%Y-%m-%d %H:%M:%S} UTC: {WHY}"
    assert (why["wanted"], why["rule"].startswith(f"{sentence}; without that ")) == (False, True), why["rule"]
    assert why["setting"]["reason"] == WHY
    (setting,) = (await desk.get("tools"))["settings"]
    assert (setting["tool_name"], setting["enabled"], setting["actor"]) == (BOOK, False, said["actor"])


async def test_the_command_line_says_it_too(desk: Desk, tool_sync_db: DatabaseUrls) -> None:
    await desk.happened(e.SyncRequested(uuid4(), "agent-1", "assistant-1", 1, "b" * 64, "save", None))
    org, url = str(desk.org_id), tool_sync_db.service

    async def said(*arguments: str) -> str:
        status, stdout, stderr = await command(*arguments, database_url=url)
        assert (status, stderr) == (0, "")
        return " ".join(stdout.split())

    assert "is switched off for" in await said("tool", "disable", org, BOOK, "--reason", WHY)
    assert "nothing was written" in await said("tool", "disable", org, BOOK, "--reason", WHY)
    sentence = re.compile(rf"switched off by an operator \([^)]+\) at \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC: {WHY}")
    for arguments in (("why", org, BOOK), ("tools", org), ("explain", "agent-1")):
        assert sentence.search(await said(*arguments)), arguments
    assert "is as the blueprint says" in await said("tool", "reset", org, BOOK, "--reason", "a test")
    assert "setting taken back by an operator" in await said("why", org, BOOK)
    assert [stored["type"] for stored in await desk.stored()] == ["ToolSettingChanged", "ToolSettingRemoved"]
    status, _, stderr = await command("tool", "disable", org, BOOK, "--reason", "a\nb", database_url=url)
    assert (status, "one line" in stderr) == (2, True)
    status, _, stderr = await command(
        "tool", "disable", org, "bookclinicappointments", "--reason", "a test", database_url=url
    )
    assert (status, f"did you mean {BOOK}?" in " ".join(stderr.split())) == (2, True)
    await desk.happened(e.OrgClosed())
    status, _, stderr = await command("tool", "enable", org, BOOK, "--reason", "a test", database_url=url)
    assert (status, "was deleted" in stderr) == (2, True)


async def test_the_same_again_writes_nothing_and_another_reason_is_another_setting(desk: Desk) -> None:
    first = await desk.put(False, WHY)
    again = await desk.put(False, WHY)
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await desk.stored()) == 1
    assert (await desk.put(False)).status_code == 202
    assert (await desk.get())["reason"] is None
    assert (await desk.put(True)).status_code == 202
    assert [one["data"]["enabled"] for one in await desk.stored()] == [False, False, True]


async def test_enabled_by_a_setting_and_no_setting_at_all_are_told_apart(desk: Desk) -> None:
    nothing = await desk.get()
    assert (nothing["enabled"], nothing["actor"], nothing["position"]) == (None, None, 0)
    assert (await desk.ask("DELETE", f"tools/{BOOK}/settings")).status_code == 200  # there is nothing to take back
    assert await desk.stored() == []

    await desk.put(True)
    assert (await desk.get())["enabled"] is True
    taken = await desk.ask("DELETE", f"tools/{BOOK}/settings", params={"reason": "no wish of ours any more"})
    assert taken.status_code == 202
    assert await desk.get() == taken.json()
    assert (taken.json()["enabled"], taken.json()["reason"]) == (None, "no wish of ours any more")
    assert taken.json()["actor"].startswith("org:")
    assert (await desk.ask("DELETE", f"tools/{BOOK}/settings")).status_code == 200
    assert [one["type"] for one in await desk.stored()] == ["ToolSettingChanged", "ToolSettingRemoved"]
    why = await desk.get(f"tools/{BOOK}/why")
    assert (why["wanted"], why["setting"]["enabled"]) == (True, None)


async def test_a_tool_that_was_off_is_wanted_again_once_the_setting_is_taken_back(desk: Desk) -> None:
    await desk.put(False)
    assert (await desk.get(f"tools/{BOOK}/why"))["wanted"] is False
    await desk.ask("DELETE", f"tools/{BOOK}/settings")
    assert (await desk.get(f"tools/{BOOK}/why"))["wanted"] is True


async def test_the_platform_sets_for_any_clinic_and_is_named(desk: Desk) -> None:
    answer = await desk.put(False, WHY, token=desk.signer.platform_token())
    assert answer.status_code == 202
    rule = (await desk.get(f"tools/{BOOK}/why"))["rule"]
    assert f"switched off by the platform ({answer.json()['actor'].partition(':')[2]})" in rule


IDENTITY = ("name", "server", "url", "parameters", "contract", "organization_id", "definition_version")


@pytest.mark.parametrize("field", IDENTITY)
async def test_what_says_which_tool_it_is_can_never_be_set(desk: Desk, field: str) -> None:
    for body, place in (
        ({"enabled": True, "custom_config": {field: "x"}}, f"custom_config.{field}"),
        ({"enabled": True, field: "x"}, field),
    ):
        answer = await desk.ask("PUT", f"tools/{BOOK}/settings", json=body)
        assert refused(answer, 422) == f"{place}: belongs to the tool's identity and can never be set by a clinic"
    assert await desk.stored() == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"enabled": True, "custom_config": {"description_suffix": "x"}},
            "custom_config.description_suffix: is not open",
        ),
        ({"enabled": True, "custom_config": []}, "custom_config"),
        ({"enabled": "false"}, "enabled"),
        ({"enabled": 0}, "enabled"),
        ({"enabled": None}, "enabled"),
        ({}, "enabled"),
        ({"enabled": True, "colour": "red"}, "colour"),
        ({"enabled": True, "reason": ""}, "one line"),
        ({"enabled": True, "reason": "a\nb"}, "one line"),
        ({"enabled": True, "reason": "a\u0000b"}, "one line"),
        ({"enabled": True, "reason": "x" * 201}, "reason"),
        ({"enabled": True, "reason": 7}, "reason"),
        ({"enabled": True, "reason": "call +49 (30) 1234-567"}, "names nobody"),
        ({"enabled": True, "reason": "ask anna@example.test"}, "names nobody"),
    ],
)
async def test_a_body_that_is_not_valid_names_the_field_and_stores_nothing(
    desk: Desk, body: dict[str, Any], words: str
) -> None:
    refused(await desk.ask("PUT", f"tools/{BOOK}/settings", json=body), 422, words)
    assert await desk.stored() == []


async def test_all_problems_of_a_body_are_said_at_once(desk: Desk) -> None:
    body = {"enabled": "yes", "server": {}, "custom_config": {"url": "x", "messages": []}, "reason": 7}
    answer = await desk.ask("PUT", f"tools/{BOOK}/settings", json=body)
    refused(answer, 422, "server:", "custom_config.url:", "custom_config.messages:", "enabled:", "reason:")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"enabled": true, "enabled": false}', 400),
        (b'{"enabled": NaN}', 400),
        (b'{"enabled": true, "reason": "\xff"}', 400),
        (b'{"enabled": true, "reason": "\\ud800"}', 422),
        (b'{"enabled": true, "\\ud800": 1}', 422),
        (b"[" * 100_000, 413),
        (b"[" * 10_000, 400),
    ],
)
async def test_bytes_that_are_no_setting_are_refused(desk: Desk, raw: bytes, status: int) -> None:
    refused(await desk.ask("PUT", f"tools/{BOOK}/settings", content=raw), status)
    assert await desk.stored() == []


async def test_a_reason_in_any_language_is_kept_as_it_is(desk: Desk) -> None:
    reason = "geschlossen bis 2026-12-24 – 休診 🦷"
    assert (await desk.put(False, reason)).status_code == 202
    assert (await desk.get())["reason"] == reason


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_unknown_tool_is_named_with_the_nearest_one(desk: Desk, method: str) -> None:
    body: dict[str, Any] = {"json": {"enabled": True}} if method == "PUT" else {}
    answer = await desk.ask(method, "tools/bookClinicApointment/settings", **body)
    refused(answer, 404, "there is no tool bookClinicApointment", f"did you mean {BOOK}?", CANCEL)
    assert await desk.stored() == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_another_clinics_setting_and_an_unknown_clinic_are_not_told_apart(desk: Desk, method: str) -> None:
    other = uuid4()
    body: dict[str, Any] = {"json": {"enabled": False}} if method == "PUT" else {}
    await desk.happened(e.OrgRegistered("basic"), e.ToolSettingChanged(BOOK, True), org_id=other)
    before = await desk.stored()
    foreign = await desk.ask(method, f"tools/{BOOK}/settings", org_id=other, **body)
    unknown = await desk.ask(method, f"tools/{BOOK}/settings", org_id=uuid4(), **body)
    assert refused(foreign, 404) == refused(unknown, 404)
    platform = desk.signer.platform_token()
    refused(await desk.ask(method, f"tools/{BOOK}/settings", org_id=uuid4(), token=platform, **body), 404)
    assert await desk.stored() == before
    assert (await desk.client.request(method, desk.path(f"tools/{BOOK}/settings"))).status_code == 401


async def test_nothing_is_set_for_a_clinic_that_was_deleted(desk: Desk) -> None:
    await desk.put(False)
    await desk.happened(e.OrgClosed())
    refused(await desk.put(True), 409, "deleted")
    refused(await desk.ask("DELETE", f"tools/{BOOK}/settings"), 409, "deleted")
    assert (await desk.get())["enabled"] is False
    assert len(await desk.stored()) == 1


async def test_with_if_match_only_who_has_seen_the_newest_setting_replaces_it(desk: Desk) -> None:
    unset = (await desk.ask("GET", f"tools/{BOOK}/settings")).headers["etag"]
    first = await desk.put(False, headers={"If-Match": unset})
    assert first.status_code == 202
    refused(await desk.put(True, headers={"If-Match": unset}), 412, first.headers["etag"])
    assert (await desk.put(True, headers={"If-Match": first.headers["etag"]})).status_code == 202
    refused(await desk.put(True, headers={"If-Match": "yesterday"}), 422, "If-Match")
    stale: dict[str, Any] = {"headers": {"If-Match": first.headers["etag"]}}
    refused(await desk.ask("DELETE", f"tools/{BOOK}/settings", **stale), 412)
    assert [one["data"]["enabled"] for one in await desk.stored()] == [False, True]


async def test_row_level_security_alone_keeps_another_clinics_settings_out(desk: Desk, pool: db.Pool) -> None:
    await desk.put(False)
    async with db.tenant_tx(pool, uuid4()) as connection:
        assert await setting_of(connection, desk.org_id, BOOK) is None
        assert await settings_at(connection, desk.org_id, 1_000_000) == ()
        assert await connection.fetchval("SELECT count(*) FROM org_tool_settings") == 0
    async with db.tenant_tx(pool, desk.org_id) as connection:
        assert await setting_of(connection, desk.org_id, BOOK) is not None


async def test_at_each_position_the_settings_are_what_the_table_held_then(desk: Desk, log: EventLog) -> None:
    held = {}
    for step in (
        desk.put(False, WHY),
        desk.put(True, tool=CANCEL),
        desk.put(True),
        desk.ask("DELETE", f"tools/{BOOK}/settings"),
    ):
        assert (await step).status_code == 202
        async with desk.pool.acquire() as connection:
            row = [await setting_of(connection, desk.org_id, tool) for tool in (BOOK, CANCEL)]
        held[(await log.read(0, 1)).head] = tuple(one for one in row if one is not None)
    assert [[one.enabled for one in settings] for settings in held.values()] == [
        [False], [False, True], [True, True], [None, True],
    ]  # fmt: skip
    async with desk.pool.acquire() as connection:
        for position, settings in held.items():
            assert await settings_at(connection, desk.org_id, position) == settings


async def test_settings_and_changes_are_read_by_the_index_of_a_clinics_changes(
    desk: Desk, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    from tool_sync.queries import changes, tool_settings

    await admin.execute("SET enable_seqscan = off; SET enable_sort = off")
    questions: dict[str, tuple[object, ...]] = {
        changes._CHANGES: (desk.org_id, 2**62, 100),
        tool_settings._AT: (desk.org_id, 2**62),
    }
    for statement, arguments in questions.items():
        plan = "\n".join(row[0] for row in await admin.fetch(f"EXPLAIN {statement}", *arguments))
        assert "events_tool_changes" in plan, plan

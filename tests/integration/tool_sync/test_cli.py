"""``tool-sync history`` and ``tool-sync tools`` against a real database."""

from uuid import UUID, uuid4

from tool_sync.domain import events
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, org_stream, toolset_stream
from tool_sync.settings import Settings

from .command import command, result
from .ordering import say, version

TRACE = "0af7651916cd43dd8448eb211c80319c"


async def make_org(log: EventLog) -> UUID:
    org_id = uuid4()
    meta = Meta("cause", "correlation", f"00-{TRACE}-b7ad6b7169203331-01", "test", "1")
    registered = events.ToolRegistered(
        uuid4(), "platform", "bookClinicAppointment", f"tool-{org_id}", 1, "a" * 64, "a" * 64, adopted=False
    )
    pairs: list[tuple[str, events.Event]] = [
        (org_stream(org_id), events.OrgRegistered("basic")),
        (toolset_stream(org_id), registered),
    ]
    for stream, event in pairs:
        await log.append(AppendRequest(stream, org_id, None, (NewEvent(uuid4(), event),), meta))
    return org_id


async def test_tools_as_json_and_as_a_list(settings: Settings, event_log: EventLog) -> None:
    org = await make_org(event_log)
    status, stdout, stderr = await command("tools", str(org), "--json", database_url=settings.database_url)
    assert (status, stderr) == (0, "")
    body = result(stdout)
    assert (body["as_of_position"], body["tools"][0]["vapi_tool_id"]) == (2, f"tool-{org}")
    status, stdout, _ = await command("tools", str(org), database_url=settings.database_url)
    assert status == 0
    assert f"tool-{org}" in stdout  # not cut, although this is no terminal
    assert "bookClinicAppointment" in stdout


async def test_history_comes_in_pages_with_its_traces(settings: Settings, event_log: EventLog) -> None:
    org = await make_org(event_log)
    _, stdout, _ = await command("history", str(org), "--json", "--limit", "1", database_url=settings.database_url)
    first = result(stdout)
    assert [e["type"] for e in first["events"]] == ["OrgRegistered"]
    assert first["next_after"] == 1
    status, stdout, _ = await command("history", str(org), "--after", "1", database_url=settings.database_url)
    assert status == 0
    assert "ToolRegistered" in stdout
    assert "OrgRegistered" not in stdout
    assert TRACE in stdout


async def test_an_unknown_org_and_a_missing_database_are_said_on_stderr(settings: Settings) -> None:
    status, stdout, stderr = await command("tools", str(uuid4()), database_url=settings.database_url)
    assert (status, stdout) == (2, "")
    assert "there is no organization" in stderr
    nowhere = "postgresql://x:secret@127.0.0.1:1/tool_sync"
    status, stdout, stderr = await command("history", str(uuid4()), database_url=nowhere)
    assert (status, stdout) == (2, "")
    assert "does not answer" in stderr
    assert "secret" not in stderr


async def test_what_is_no_org_id_is_refused(settings: Settings) -> None:
    status, stdout, stderr = await command("tools", "not-a-uuid", database_url=settings.database_url)
    assert (status, stdout) == (2, "")
    assert "valid UUID" in stderr


async def test_a_tool_is_switched_off_and_on_for_one_organization(settings: Settings, event_log: EventLog) -> None:
    org = await make_org(event_log)
    published = version("bookClinicAppointment")
    await say(event_log, published)
    url = settings.database_url

    for word, switched in (("disable", "off"), ("enable", "on")):
        status, stdout, stderr = await command(
            "tool", word, str(org), published.name, "--reason", "a test", database_url=url
        )
        assert (status, stderr) == (0, "")
        assert f"switched {switched} for {org}" in stdout
    _, stdout, _ = await command("history", str(org), "--json", database_url=url)
    changed = [e["data"] for e in result(stdout)["events"] if e["type"] == "ToolSettingChanged"]
    assert changed == [{"name": published.name, "enabled": enabled, "reason": "a test"} for enabled in (False, True)]

    for arguments, problem in (((str(uuid4()), published.name), "no organization"), ((str(org), "other"), "no tool")):
        status, _, stderr = await command("tool", "disable", *arguments, "--reason", "a test", database_url=url)
        assert status == 2
        assert problem in stderr

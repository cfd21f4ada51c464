"""``tool-sync dead-letters``, word for word."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from tool_sync import db
from tool_sync.settings import Settings
from zerotouch_contracts.envelope import to_record
from zerotouch_contracts.events import AssistantSaved

from .command import command, envelope, result

INSERT = """
INSERT INTO dead_letters (topic, partition, "offset", key, headers, value, reason, org_id, recorded_at)
VALUES ('assistants.v1', 0, $1, $2, $3, $4, 'not readable', $5, $6) RETURNING id
"""
AT = datetime(2026, 11, 28, 14, 30, tzinfo=UTC)


async def set_aside(pool: db.Pool, org: UUID, offset: int, value: bytes | None = None) -> int:
    message = AssistantSaved(
        org_id=org, request_id=uuid4(), agent_id="a", assistant_id="v", revision=1, model_hash="a" * 64, cause="save"
    )
    record = to_record(message, id=message.request_id, time=AT, log_id=uuid4())
    headers = [[name, raw.decode()] for name, raw in record.headers]
    made: int = await pool.fetchval(INSERT, offset, record.key, headers, value or record.value, org, AT)
    return made


async def test_dead_letters_are_listed_shown_and_closed(settings: Settings, pool: db.Pool) -> None:
    url, org = settings.database_url, uuid4()
    assert await command("dead-letters", "list", database_url=url) == (0, "there is no dead letter to show\n", "")
    first, second = await set_aside(pool, org, 1, b"{" * 5000), await set_aside(pool, org, 2)

    lines = [
        f"{first}: assistants.v1 0 1",
        f"  organization: {org}",
        "  recorded at: 2026-11-28 14:30:00 UTC",
        "  reason: not readable",
    ]
    status, text, _ = await command("dead-letters", "list", "--limit", "1", database_url=url)
    assert (status, text.splitlines()) == (0, [*lines, "the oldest 1 are shown; --limit shows more"])
    _, text, _ = await command("dead-letters", "list", "--json", "--org", str(org), database_url=url)
    assert envelope(text)["complete"] is True
    assert result(text)[1] == {
        "id": second, "topic": "assistants.v1", "partition": 0, "offset": 2, "reason": "not readable",
        "org_id": str(org), "recorded_at": "2026-11-28T14:30:00Z", "closed_by": None,
    }  # fmt: skip

    status, text, _ = await command("dead-letters", "show", str(first), "--json", database_url=url)
    shown = envelope(text)
    assert (status, shown["complete"], shown["result"]["value_bytes"]) == (0, False, 5000)
    assert (shown["result"]["key"], shown["result"]["value"]) == (str(org), "{" * 4096)
    assert ["ce_source", "/zerotouch/assistant-api"] in shown["result"]["headers"]
    _, text, _ = await command("dead-letters", "show", str(second), database_url=url)
    assert f"id           {second}\n" in text
    assert "value_bytes  " in text
    _, _, said = await command("dead-letters", "show", "77", database_url=url)
    assert said == "tool-sync: there is no dead letter 77; `tool-sync dead-letters list --all` shows them\n"

    closing = ("dead-letters", "acknowledge", str(first), "--reason", "a test")
    done = await command(*closing, database_url=url)
    assert done == (0, "", f"tool-sync: dead letter {first} is closed: a test\n")
    done = await command(*closing, database_url=url)
    assert done[0] == 2
    assert f"no open dead letter {first}; `tool-sync dead-letters list` has them" in done[2]
    _, text, _ = await command("dead-letters", "list", "--all", database_url=url)
    assert text.splitlines()[:5] == [*lines, "  closed by: a test"]


async def test_dead_letters_are_taken_in_again_and_what_stays_is_said(settings: Settings, pool: db.Pool) -> None:
    url, org = settings.database_url, uuid4()
    first, second = await set_aside(pool, org, 1, b"{"), await set_aside(pool, org, 2)
    replay = ("dead-letters", "replay", "--reason", "a test")
    done = await command(*replay, "--dry-run", database_url=url)
    assert done == (0, "would read 2 record(s) again\n", "")
    _, _, said = await command(*replay, str(first), "900", database_url=url)
    assert said == "tool-sync: no open dead letter 900; `tool-sync dead-letters list` has them\n"
    status, text, said = await command(*replay, "--org", str(org), database_url=url)
    assert (status, text) == (1, "1 record(s) were read, 1 still cannot be\n")
    assert said.startswith(f"tool-sync: dead letter {first} still cannot be read: ")
    _, text, _ = await command("dead-letters", "list", "--all", "--json", database_url=url)
    assert [(one["id"], one["closed_by"]) for one in result(text)] == [(first, None), (second, "replayed")]

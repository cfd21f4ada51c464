"""What ``tool-sync audit`` prints and its exit status, against real topics: no all-clear of nothing."""

from uuid import uuid4

from tool_sync.db import Pool
from tool_sync.settings import Settings
from tool_sync.vapi.rate_limit import KeyLimits, KeyTable, SharedKey

from .command import command, envelope, result
from .topics import Topics


def sources(settings: Settings) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "ASSISTANTS_TOPIC": settings.assistants_topic,
        "OUTCOMES_TOPIC": settings.outcomes_topic,
        "CONSUMER_GROUP": settings.consumer_group,
    }


async def test_an_audit_of_no_save_at_all_says_that_nothing_was_audited(settings: Settings) -> None:
    code, text, _ = await command("audit", "--only-topics", database_url=settings.database_url, **sources(settings))
    assert code == 2
    assert "NOTHING was audited" in text
    assert "complete" not in text
    code, text, _ = await command(
        "audit", "--only-topics", "--json", database_url=settings.database_url, **sources(settings)
    )
    report = envelope(text)
    assert (code, report["complete"]) == (2, False)
    assert "no save at all" in report["result"]["looked_at"]
    assert any("not compared with what assistant-api accepted" in what for what in report["not_looked_at"])


async def test_an_audit_of_saves_names_what_it_looked_at_and_a_paused_key(
    settings: Settings, topics: Topics, pool: Pool
) -> None:
    await topics.send([topics.save(uuid4())])
    code, text, _ = await command("audit", "--only-topics", database_url=settings.database_url, **sources(settings))
    assert code == 0
    said = " ".join(text.split())
    assert "no gap in the 1 saves on the topic; whether every accepted save is there was not checked" in said
    assert "complete" not in text
    assert f"WARNING: {settings.assistants_topic} has 1 replica(s), fewer than 3" in text
    assert f"WARNING: {settings.assistants_topic} acknowledges with 1 replica(s) in sync, below 2" in text
    assert "unclean" not in text
    assert "looked at: 1 saves, from" in text
    assert "not compared with what assistant-api accepted" in text
    assert "VAPI KEY" not in text

    key = SharedKey(KeyTable(pool, "fingerprint"), KeyLimits(None, 1.0), monotonic=lambda: 0.0)
    now = await pool.fetchval("SELECT clock_timestamp()")
    await key.note("refused", now, 0.5, None, "TS-201")
    _, text, _ = await command("audit", "--only-topics", database_url=settings.database_url, **sources(settings))
    assert "VAPI KEY PAUSED since" in text
    _, text, _ = await command(
        "audit", "--only-topics", "--json", database_url=settings.database_url, **sources(settings)
    )
    assert [key["code"] for key in result(text)["paused_keys"]] == ["TS-201"]


async def test_assistant_api_is_asked_unless_the_operator_says_not_to(settings: Settings) -> None:
    code, _, said = await command("audit", database_url=settings.database_url, **sources(settings))
    assert code == 2
    assert "PLATFORM_TOKEN" in said
    asked = {"PLATFORM_TOKEN": "token", "ASSISTANT_API_URL": "http://127.0.0.1:9"}
    code, text, said = await command("audit", database_url=settings.database_url, **sources(settings), **asked)
    assert code == 2
    assert "assistant-api does not answer" in said
    assert "complete" not in text


async def test_records_that_were_lost_are_a_gap_until_they_are_acknowledged(
    settings: Settings, topics: Topics, pool: Pool
) -> None:
    await topics.send([topics.save(uuid4())])
    loss = await pool.fetchval(
        "INSERT INTO lost_records (topic, partition, first_offset, end_offset, cause) "
        "VALUES ('assistants.v1', 3, 5, 9, 'deleted before they were read') RETURNING id"
    )
    code, text, _ = await command("audit", "--only-topics", database_url=settings.database_url, **sources(settings))
    assert code == 1
    assert "LOST: assistants.v1 partition 3, offsets 5 to 9: deleted before they were read" in text
    code, text, _ = await command("lost", "list", database_url=settings.database_url)
    assert (code, "assistants.v1 partition 3" in text) == (1, True)
    closing = ("lost", "acknowledge", str(loss), "--reason", "saved again")
    assert (await command(*closing, database_url=settings.database_url))[0] == 0
    assert (await command(*closing, database_url=settings.database_url))[0] == 2
    assert (await command("lost", "list", database_url=settings.database_url))[0] == 0
    code, _, _ = await command("audit", "--only-topics", database_url=settings.database_url, **sources(settings))
    assert code == 0

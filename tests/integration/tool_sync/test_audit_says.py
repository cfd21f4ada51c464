"""What ``tool-sync audit`` prints and its exit status, against real topics: no all-clear of nothing."""

import json
from uuid import uuid4

from tool_sync.allowance import KeyLimits, KeyTable, SharedKey
from tool_sync.db import Pool
from tool_sync.settings import Settings

from .command import command
from .conftest import Topics


def sources(settings: Settings) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "ASSISTANTS_TOPIC": settings.assistants_topic,
        "OUTCOMES_TOPIC": settings.outcomes_topic,
        "CONSUMER_GROUP": settings.consumer_group,
    }


async def test_an_audit_of_no_save_at_all_says_that_nothing_was_audited(settings: Settings) -> None:
    code, text, _ = await command("audit", database_url=settings.database_url, **sources(settings))
    assert code == 3
    assert "NOTHING was audited" in text
    assert "complete" not in text
    code, text, _ = await command("audit", "--json", database_url=settings.database_url, **sources(settings))
    report = json.loads(text)
    assert (code, report["complete"]) == (3, False)
    assert "no save at all" in report["looked_at"]
    assert any("not compared with what assistant-api accepted" in what for what in report["not_looked_at"])


async def test_an_audit_of_saves_names_what_it_looked_at_and_a_paused_key(
    settings: Settings, topics: Topics, pool: Pool
) -> None:
    await topics.send([topics.save(uuid4())])
    code, text, _ = await command("audit", database_url=settings.database_url, **sources(settings))
    assert code == 0
    assert "complete: no gap in 1 saves, as far as was looked" in text
    assert "looked at: 1 saves, from" in text
    assert "not compared with what assistant-api accepted" in text
    assert "VAPI KEY" not in text

    key = SharedKey(KeyTable(pool, "fingerprint"), KeyLimits(None, 1.0), monotonic=lambda: 0.0)
    now = await pool.fetchval("SELECT clock_timestamp()")
    await key.note("refused", now, 0.5, None, "TS-201")
    _, text, _ = await command("audit", database_url=settings.database_url, **sources(settings))
    assert "VAPI KEY PAUSED since" in text
    _, text, _ = await command("audit", "--json", database_url=settings.database_url, **sources(settings))
    assert [key["code"] for key in json.loads(text)["paused_keys"]] == ["TS-201"]

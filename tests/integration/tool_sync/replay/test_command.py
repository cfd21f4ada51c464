"""``tool-sync replay`` and ``tool-sync relay rewind`` as an operator types them."""

from devstack.fixtures import TestKafka
from tool_sync import db
from tool_sync.log import EventLog
from tool_sync.settings import Settings

from ..command import command
from .test_replay import fill, records


async def replayed(settings: Settings, *arguments: str) -> tuple[int | None, str, str]:
    return await command(
        *arguments,
        database_url=settings.database_url,
        KAFKA_BOOTSTRAP_SERVERS=settings.kafka_bootstrap_servers,
        OUTCOMES_TOPIC=settings.outcomes_topic,
        ASSISTANTS_TOPIC=settings.assistants_topic,
    )


async def test_replay_sends_what_a_dry_run_has_counted(
    settings: Settings, kafka: TestKafka, event_log: EventLog
) -> None:
    await fill(event_log)
    topic = await kafka.create_topic("replay", partitions=3)
    status, counted, _ = await replayed(settings, "replay", "--to-topic", topic, "--dry-run")
    assert status == 0
    assert "6" in counted
    assert await records(settings, topic) == []

    status, said, _ = await replayed(settings, "replay", "--to-topic", topic)
    assert status == 0
    assert "6" in said
    assert len(await records(settings, topic)) == 6


async def test_replay_refuses_live_and_missing_topics_and_unknown_types(
    settings: Settings, kafka: TestKafka, event_log: EventLog
) -> None:
    await fill(event_log)
    topic = await kafka.create_topic("replay", partitions=1)
    for arguments, reason in (
        (("--to-topic", settings.outcomes_topic), "is live"),
        (("--to-topic", "there-is-none"), "there-is-none"),
        (("--to-topic", topic, "--type", "Nothing"), "unknown type 'Nothing'"),
    ):
        status, stdout, stderr = await replayed(settings, "replay", *arguments)
        assert (status or 0) > 0, stdout
        assert reason in stderr
        assert "Traceback" not in stderr
    assert await records(settings, topic) == []
    assert await records(settings, settings.outcomes_topic) == []


async def test_rewind_says_where_the_relay_was_and_refuses_a_topic_with_records(
    settings: Settings, pool: db.Pool, kafka: TestKafka, event_log: EventLog
) -> None:
    await fill(event_log)
    await pool.execute("INSERT INTO cursors (name, position) VALUES ('outcomes-relay', 9)")
    status, said, _ = await replayed(settings, "relay", "rewind", "--position", "3")
    assert (status, "it had reached 9" in said) == (0, True)
    assert await pool.fetchval("SELECT position FROM cursors WHERE name = 'outcomes-relay'") == 3

    topic = await kafka.create_topic("full", partitions=1)
    assert (await replayed(settings, "replay", "--to-topic", topic))[0] == 0
    status, _, stderr = await replayed(settings, "relay", "rewind", "--position", "0", "--topic", topic)
    assert (status or 0) > 0
    assert "holds records" in stderr

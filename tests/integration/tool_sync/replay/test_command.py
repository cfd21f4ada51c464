"""``tool-sync replay`` and ``tool-sync relay rewind`` as an operator types them."""

from devstack.fixtures import TestKafka
from tool_sync import db
from tool_sync.log import EventLog
from tool_sync.settings import Settings

from ..command import command
from .test_replay import fill, fill_both, records


async def replayed(settings: Settings, *arguments: str) -> tuple[int | None, str, str]:
    return await command(
        *arguments,
        database_url=settings.database_url,
        KAFKA_BOOTSTRAP_SERVERS=settings.kafka_bootstrap_servers,
        OUTCOMES_TOPIC=settings.outcomes_topic,
        FLEET_TOPIC=settings.fleet_topic,
        ASSISTANTS_TOPIC=settings.assistants_topic,
    )


async def test_replay_sends_what_a_dry_run_has_counted(
    settings: Settings, kafka: TestKafka, event_log: EventLog
) -> None:
    await fill(event_log)
    topic = await kafka.create_topic("replay", partitions=3)
    status, counted, _ = await replayed(settings, "replay", "--reason", "a test", "--to-topic", topic, "--dry-run")
    assert status == 0
    assert "6" in counted
    assert await records(settings, topic) == []

    status, said, _ = await replayed(settings, "replay", "--reason", "a test", "--to-topic", topic)
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
        status, stdout, stderr = await replayed(settings, "replay", "--reason", "a test", *arguments)
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
    status, said, _ = await replayed(settings, "relay", "rewind", "--reason", "a test", "--position", "3")
    assert (status, "it had reached 9" in " ".join(said.split())) == (0, True)
    assert await pool.fetchval("SELECT position FROM cursors WHERE name = 'outcomes-relay'") == 3

    topic = await kafka.create_topic("full", partitions=1)
    assert (await replayed(settings, "replay", "--reason", "a test", "--to-topic", topic))[0] == 0
    status, _, stderr = await replayed(
        settings, "relay", "rewind", "--reason", "a test", "--position", "0", "--topic", topic
    )
    assert (status or 0) > 0
    assert "holds records" in stderr


async def test_replay_and_rewind_of_the_fleets_topic_are_asked_for_by_its_word(
    settings: Settings, pool: db.Pool, kafka: TestKafka, event_log: EventLog
) -> None:
    await fill_both(event_log)
    topic = await kafka.create_topic("replay", partitions=3)
    status, said, _ = await replayed(settings, "replay", "--reason", "a test", "--of", "fleet", "--to-topic", topic)
    assert (status, "5 events sent" in said) == (0, True)
    assert len(await records(settings, topic)) == 5
    status, _, stderr = await replayed(
        settings, "replay", "--reason", "a test", "--of", "fleet", "--to-topic", settings.fleet_topic
    )
    assert (bool(status), "is live" in stderr) == (True, True)
    foreign = ("--type", "ToolsSynced")
    status, _, stderr = await replayed(
        settings, "replay", "--reason", "a test", "--of", "fleet", "--to-topic", topic, *foreign
    )
    assert (bool(status), "known are ToolChangeAnnounced" in stderr) == (True, True)
    status, said, _ = await replayed(
        settings, "relay", "rewind", "--reason", "a test", "--of", "fleet", "--position", "2"
    )
    assert (status, settings.fleet_topic in said) == (0, True)
    assert await pool.fetchval("SELECT position FROM cursors WHERE name = 'fleet-relay'") == 2


async def test_log_verify_looks_at_both_topics_and_says_which_it_could_not(
    settings: Settings, event_log: EventLog
) -> None:
    await fill_both(event_log)
    status, said, _ = await replayed(settings, "log", "verify")
    assert status == 0, said
    for topic in (settings.outcomes_topic, settings.fleet_topic):
        assert f"{topic}: not ahead of the log" in said
    missing = settings.model_copy(update={"fleet_topic": "there-is-none"})
    status, said, _ = await replayed(missing, "log", "verify")
    assert (status, "there-is-none: not looked at, because there is no such topic" in said) == (0, True)

"""The completeness audit against the running system: it says that nothing is missing, and it sees what is."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer
from tests.support.eventually import eventually
from typer.testing import CliRunner, Result

from tool_sync.cli.app import app

from .kafka_topics import INPUT, OUTPUT, every_record
from .world import PATIENCE_SECONDS, World


async def invoke(arguments: Sequence[str]) -> Result:
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, list(arguments)))


def sources(world: World) -> list[str]:
    return [
        "--database-url", world.stack.database("tool_sync").service,
        "--kafka", world.stack.bootstrap_servers,
        "--assistant-api-url", world.stack.assistant_api_url,
        "--token", world.stack.signer.platform_token(),
    ]  # fmt: skip


async def audited(world: World, *options: str) -> tuple[int, dict[str, Any]]:
    result = await invoke(["audit", *sources(world), "--json", *options])
    said: dict[str, Any] = json.loads(result.stdout)
    report = {**said["result"], "complete": said["complete"], "not_looked_at": said["not_looked_at"]}
    return result.exit_code, report


async def send(world: World, record: Any, topic: str, headers: list[tuple[str, bytes]] | None = None) -> Any:
    producer = AIOKafkaProducer(bootstrap_servers=world.stack.bootstrap_servers, acks="all")
    await producer.start()
    try:
        return await producer.send_and_wait(
            topic, value=record.value, key=record.key, headers=headers or list(record.headers)
        )
    finally:
        await producer.stop()


async def test_every_save_is_accounted_for_and_gaps_are_seen(world: World) -> None:
    """One story, because a gap stays on the topics: whoever audits later sees it too."""
    org_id = await world.organization()
    saved = [await world.synced_agent(org_id) for _ in range(5)]
    await world.sync(saved[0]["agentId"])
    await world.quiet()

    before_code, before = await audited(world)
    answered = before["counts"].get("answered in time", 0) + before["counts"].get("answered late", 0)
    assert answered >= 6
    assert "accepted, not on the topic" not in before["counts"]
    assert before["coverage"]["assistants"] >= 5
    assert set(before["seconds"]) == {"50", "95", "99", "100"}

    # Two outcomes for one save, by different events: forged onto the topic.
    mine = [r for r in await every_record(world.stack.bootstrap_servers, OUTPUT) if r.key == str(org_id).encode()]
    forged = [(name, str(uuid4()).encode() if name == "ce_id" else raw) for name, raw in mine[0].headers]
    await send(world, mine[0], OUTPUT, forged)
    # A save that tool-sync will never see: poison that is parked, and closed in the end.
    poison = next(iter(await every_record(world.stack.bootstrap_servers, INPUT)))
    place = await send(world, poison, INPUT, [("ce_type", b"\xff"), ("x", b"")])

    async def parked() -> int | None:
        found: int | None = await world.log_db.fetchval(
            'SELECT id FROM dead_letters WHERE partition = $1 AND "offset" = $2', place.partition, place.offset
        )
        return found

    letter = await eventually(parked, within_seconds=PATIENCE_SECONDS)
    code, report = await audited(world)
    assert code == 1
    assert not report["complete"]
    new = [f for f in report["findings"] if f not in before["findings"]]
    assert sorted(f["verdict"] for f in new if f["verdict"] != "answered late") == ["parked", "two outcomes"]
    (twice,) = [f for f in new if f["verdict"] == "two outcomes"]
    assert UUID(twice["request_id"]) in {UUID(s["requestId"]) for s in saved} | {
        UUID(json.loads(mine[0].value)["requests"][0]["request_id"])
    }

    database = ["--database-url", world.stack.database("tool_sync").service]
    closing = ["dead-letters", "acknowledge", str(letter), "--reason", "a test", *database]
    closed = await invoke(closing)
    assert closed.exit_code == 0, closed.output
    again = await invoke(closing)
    assert again.exit_code == 2
    _, after = await audited(world)
    assert after["counts"].get("parked", 0) == before["counts"].get("parked", 0)
    assert after["counts"]["parked and closed"] == before["counts"].get("parked and closed", 0) + 1

    # The text says it too, and the forged outcome keeps it from being complete.
    text = await invoke(["audit", *sources(world)])
    assert text.exit_code == 1
    assert "% of the assistants that should book can" in text.stdout
    assert "two outcomes" in text.stdout
    assert before_code in (0, 1)


async def test_an_assistant_that_no_caller_reaches_is_a_gap_where_vapi_is_read(world: World) -> None:
    around = world.stack.surroundings
    vapi = ["--live", "--vapi-base-url", around.vapi_base_url, "--vapi-api-key", around.vapi_api_key]
    agent = await world.synced_agent(await world.organization())
    await world.quiet()
    assistant = await world.vapi.assistant(agent["assistantId"])
    _, without = await audited(world)
    assert without["live"] is None
    assert any(what.startswith("Vapi, which was not read") for what in without["not_looked_at"])
    _, before = await audited(world, *vapi)
    assert before["live"]["assistants"] >= 1
    assert before["live"]["not_read"] == []
    assert agent["agentId"] not in {one["agent_id"] for one in before["live"]["unreached"]}

    await world.vapi.edit_assistant(agent["assistantId"], {"model": {**assistant["model"], "toolIds": []}})
    code, report = await audited(world, *vapi)

    assert code == 1
    assert not report["complete"]
    assert agent["agentId"] in {one["agent_id"] for one in report["live"]["unreached"]}
    text = await invoke(["audit", *sources(world), *vapi])
    assert text.exit_code == 1
    assert "not reached at Vapi" in text.stdout
    assert agent["agentId"] in text.stdout
    await world.vapi.edit_assistant(agent["assistantId"], {"model": assistant["model"]})


async def test_a_window_in_the_future_of_all_saves_is_empty_and_not_called_complete(world: World) -> None:
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    code, report = await audited(world, "--since", later)
    assert code == 0
    assert report["counts"] == {}
    assert not report["complete"]


async def test_without_kafka_nothing_is_claimed(world: World) -> None:
    result = await invoke(["audit", *sources(world), "--assistants-topic", "no-such-topic"])
    assert result.exit_code == 2
    assert "there is no topic no-such-topic" in result.output

"""What is said twice happens once: redelivered records, and saves that change nothing."""

import time
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer

from .kafka_topics import INPUT, every_record
from .world import PATIENCE_SECONDS, TOOL, World


async def test_redelivering_the_whole_input_topic_adds_nothing(world: World) -> None:
    org_id = await world.organization()
    agents = [(await world.synced_agent(org_id))["agentId"] for _ in range(3)]
    await world.synced_agent(await world.organization())
    await world.sync(agents[0])
    await world.quiet()
    records = await every_record(world.stack.bootstrap_servers, INPUT)
    head, journal_end, published = await world.head(), await world.vapi.journal_end(), await world.output_offsets()
    last_hash = await world.log_db.fetchval("SELECT hash FROM events ORDER BY position DESC LIMIT 1")

    producer = AIOKafkaProducer(bootstrap_servers=world.stack.bootstrap_servers, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for record in records:
            await producer.send(
                INPUT, value=record.value, key=record.key, partition=record.partition, headers=list(record.headers)
            )
        await producer.flush()
    finally:
        await producer.stop()
    await world.taken_in()
    await world.quiet()

    assert len(await every_record(world.stack.bootstrap_servers, INPUT)) == 2 * len(records) >= 10
    assert await world.head() == head
    assert await world.log_db.fetchval("SELECT hash FROM events ORDER BY position DESC LIMIT 1") == last_hash
    assert await world.vapi.writes(after=journal_end) == []
    assert await world.output_offsets() == published

    # Nobody is deaf after it: a new save still gets its outcome, and it is the org's next one.
    before = [it.outcome.sequence for it in world.outcomes.of_org(org_id)]
    again = await world.sync(agents[0])
    await world.outcomes.of(UUID(again["requestId"]), until=time.monotonic() + PATIENCE_SECONDS)
    assert [it.outcome.sequence for it in world.outcomes.of_org(org_id)] == [*before, len(before) + 1]


async def test_a_second_save_with_nothing_changed_writes_nothing_to_vapi_and_gets_its_outcome(world: World) -> None:
    org_id = await world.organization()
    saved = await world.synced_agent(org_id)
    agent_id = saved["agentId"]
    await world.quiet()
    named = await world.sync(agent_id)  # the first save after an outcome names the tool in the prompt
    await world.outcomes.of(UUID(named["requestId"]), until=time.monotonic() + PATIENCE_SECONDS)
    await world.quiet()
    journal_end = await world.vapi.journal_end()
    assistant = await world.vapi.assistant(saved["assistantId"])

    changed_nothing = await world.http.patch(f"/api/agents/{agent_id}", json={})
    synced_again = await world.http.post("/api/assistants/sync", json={"agentId": agent_id})
    for answer in (changed_nothing, synced_again):
        assert answer.status_code == 200, answer.text
        request_id = UUID(answer.json()["requestId"])
        published = await world.outcomes.of(request_id, until=time.monotonic() + PATIENCE_SECONDS)
        assert published.tool_names == [TOOL]
    await world.quiet()

    assert await world.vapi.writes(after=journal_end) == []
    assert await world.vapi.assistant(saved["assistantId"]) == assistant
    for answer in (changed_nothing, synced_again):
        assert len(world.outcomes.naming(UUID(answer.json()["requestId"]))) == 1


async def test_a_repeated_post_with_its_idempotency_key_is_one_save(world: World) -> None:
    org_id = await world.organization()
    body = {"orgId": str(org_id), "name": "Front desk"}
    headers = {"idempotency-key": f"once-{uuid4()}"}
    answers = [await world.http.post("/api/agents", json=body, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len({answer.text for answer in answers}) == 1
    request_id = UUID(answers[0].json()["requestId"])
    await world.outcomes.of(request_id, until=time.monotonic() + PATIENCE_SECONDS)
    await world.quiet()
    assert len(world.outcomes.of_org(org_id)) == 1
    assert await world.assistants_db.fetchval("SELECT count(*) FROM agents WHERE org_id = $1", org_id) == 1

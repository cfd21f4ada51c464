"""Records that nobody can read: set aside one by one, while their neighbours in the same batch are served."""

import json
import time
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer
from tests.support.eventually import eventually

from zerotouch_contracts.events import ToolsSynced, ToolSyncFailed

from .kafka_topics import INPUT, every_record
from .world import PATIENCE_SECONDS, TOOL, World

Headers = list[tuple[str, bytes | None]]
Sent = tuple[bytes | None, bytes | None, Headers]


async def test_an_undecodable_record_is_one_dead_letter_and_its_neighbours_are_synced(world: World) -> None:
    org_id = await world.organization()
    saved = await world.synced_agent(org_id)
    await world.quiet()
    [record] = [
        it for it in await every_record(world.stack.bootstrap_servers, INPUT) if ce_id(it) == saved["requestId"]
    ]
    before, unreadable, after = uuid4(), uuid4(), uuid4()

    def again(request_id: UUID) -> Sent:
        body = {**json.loads(record.value), "request_id": str(request_id)}
        return record.key, json.dumps(body).encode(), with_id(record.headers, request_id)

    poison: dict[str, Sent] = {
        "a save with a body that is no JSON": (record.key, b'{"org_id": \xff\x00', with_id(record.headers, unreadable)),
        "no headers and no UTF-8": (b"\xff\xfe", b"\x00\x80 nobody's", []),
        "a tombstone": (record.key, None, with_id(record.headers, uuid4())),
        "headers of null and bytes": (record.key, record.value, [("ce_id", None), ("ce_type", b"\xff\x00")]),
    }
    first = await send_in_one_batch(world, record.partition, [again(before), *poison.values(), again(after)])
    until = time.monotonic() + PATIENCE_SECONDS
    for request_id in (before, after):
        published = await world.outcomes.of(request_id, until=until)
        assert isinstance(published.outcome, ToolsSynced)
        assert published.tool_names == [TOOL]
    failed = (await world.outcomes.of(unreadable, until=until)).outcome
    assert isinstance(failed, ToolSyncFailed)
    assert (failed.org_id, failed.agent_id, failed.assistant_id, failed.code) == (org_id, None, None, "TS-401")
    await world.taken_in()

    rows = await world.log_db.fetch(
        'SELECT * FROM dead_letters WHERE topic = $1 AND partition = $2 AND "offset" >= $3 ORDER BY "offset"',
        INPUT,
        record.partition,
        first,
    )
    assert [row["offset"] - first for row in rows] == [1, 2, 3, 4]
    assert [(row["key"], row["value"]) for row in rows] == [(key, value) for key, value, _ in poison.values()]
    assert all(row["reason"] for row in rows)
    assert rows[2]["reason"] == "the record has no value"
    assert not any("nobody" in row["reason"] or "\x00" in row["reason"] for row in rows)
    assert json.loads(rows[3]["headers"]) == [["ce_id", None], ["ce_type", {"base64": "/wA="}]]
    assert [row["org_id"] for row in rows] == [org_id, None, org_id, org_id]

    await world.quiet()
    sequences = [it.outcome.sequence for it in world.outcomes.of_org(org_id)]
    assert sequences == list(range(1, len(sequences) + 1))
    warned = world.log_lines(lambda line: line["event"] == "intake: records set aside as dead letters")
    assert any(f"{INPUT}/{record.partition}/{first + 1}" in where for line in warned for where in line["records"])


async def test_what_is_behind_an_undecodable_record_does_not_wait(world: World) -> None:
    org_id = await world.organization()
    saved = await world.synced_agent(org_id)
    [record] = [
        it for it in await every_record(world.stack.bootstrap_servers, INPUT) if ce_id(it) == saved["requestId"]
    ]
    offset = await send_in_one_batch(world, record.partition, [(record.key, b"not a message", [])])

    async def set_aside() -> bool:
        found = 'SELECT count(*) FROM dead_letters WHERE topic = $1 AND partition = $2 AND "offset" = $3'
        return bool(await world.log_db.fetchval(found, INPUT, record.partition, offset) == 1)

    await eventually(set_aside, within_seconds=PATIENCE_SECONDS)
    answer = await world.sync(saved["agentId"])
    await world.outcomes.of(UUID(answer["requestId"]), until=time.monotonic() + PATIENCE_SECONDS)
    assert (await world.tool_sync.get("/readyz")).status_code == 200


async def send_in_one_batch(world: World, partition: int, records: list[Sent]) -> int:
    """Sends records as one batch, which a consumer gets as one; returns the offset of the first."""
    producer = AIOKafkaProducer(bootstrap_servers=world.stack.bootstrap_servers, acks="all")
    await producer.start()
    try:
        batch = producer.create_batch()
        for key, value, headers in records:
            assert batch.append(timestamp=None, key=key, value=value, headers=headers) is not None
        batch.close()
        sent = await (await producer.send_batch(batch, INPUT, partition=partition))
    finally:
        await producer.stop()
    return int(sent.offset)


def with_id(headers: Headers, request_id: UUID) -> Headers:
    """The headers of a record, with another id."""
    return [(name, str(request_id).encode() if name == "ce_id" else value) for name, value in headers]


def ce_id(record: object) -> str | None:
    """The id of a record, where it has a readable one."""
    found = dict(record.headers).get("ce_id")  # type: ignore[attr-defined]
    return found.decode() if found else None

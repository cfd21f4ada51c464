"""Records that are no messages, put on the input topic by hand."""

import json
import uuid
from collections.abc import Iterator
from typing import Final

from aiokafka import AIOKafkaProducer
from tests.checker.selftest.group import Group
from tests.checker.wire import SAVED

Headers = list[tuple[str, bytes | None]]
HUGE_BYTES: Final = 900_000


async def poison(group: Group, org: str) -> None:
    """Bad JSON that claims to be a save, and everything else that is none, under the organization's key."""
    producer = AIOKafkaProducer(
        bootstrap_servers=group.around.bootstrap_servers, acks="all", max_request_size=2 * HUGE_BYTES
    )
    await producer.start()
    try:
        for value, headers, request_id in _records():
            sent = await producer.send_and_wait(group.topics[0], value, key=org.encode(), headers=headers)
            known = {} if request_id is None else {"request_id": request_id}
            group.ledger.poison(sent.topic, sent.partition, sent.offset, **known)
    finally:
        await producer.stop()


async def forged_save(group: Group, org: str, assistant_id: str) -> str:
    """A good record that names an assistant of somebody else's; the id of its request."""
    request_id = str(uuid.uuid4())
    body = {
        "org_id": org,
        "agent_id": f"mistaken-{org[:8]}",
        "assistant_id": assistant_id,
        "request_id": request_id,
        "revision": 1,
        "model_hash": "0" * 64,
        "cause": "save",
    }
    producer = AIOKafkaProducer(bootstrap_servers=group.around.bootstrap_servers, acks="all")
    await producer.start()
    try:
        headers = [*_headers(SAVED, request_id), ("ce_orgid", org.encode())]
        sent = await producer.send_and_wait(
            group.topics[0], json.dumps(body).encode(), key=org.encode(), headers=headers
        )
    finally:
        await producer.stop()
    known = {"request_id": request_id, "readable": True}
    group.ledger.poison(sent.topic, sent.partition, sent.offset, **known)
    return request_id


def _records() -> Iterator[tuple[bytes | None, Headers, str | None]]:
    request_id = str(uuid.uuid4())
    yield b'{"org_id": ', _headers(SAVED, request_id), request_id
    yield b"{}", _headers("zerotouch.NobodyKnows.v1", str(uuid.uuid4())), None
    yield None, [], None
    yield b"\xff\x00", [("ce_id", None), ("ce_type", b"\xff\xfe")], None
    yield b"x" * HUGE_BYTES, _headers("zerotouch.OrganizationSaved.v1", str(uuid.uuid4())), None


def _headers(message_type: str, message_id: str) -> Headers:
    texts = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": message_id,
        "ce_type": message_type,
        "ce_source": "/zerotouch/assistant-api",
        "ce_time": "2026-11-24T12:00:00Z",
    }
    return [(name, text.encode()) for name, text in texts.items()]

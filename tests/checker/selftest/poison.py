"""Records that are no messages, put on the input topic by hand."""

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

"""Records that nobody can read, in every form, put on the input topic; and where they came to stand."""

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from tests.chaos.quiet import PARTITIONS
from tests.checker.ledger import Ledger

INPUT: Final = "assistants.v1"
SAVED: Final = "zerotouch.AssistantSaved.v1"
LARGE_BYTES: Final = 900_000
SEND_SECONDS_MAX: Final = 20.0
FORMS: Final = ("bad JSON", "null and binary headers", "tombstone", "unknown type", "900 KB", "no headers, no UTF-8")

Headers = list[tuple[str, bytes | None]]


@dataclass(slots=True)
class Poison:
    """Sends poison. `sent` counts by form; what stands on the topic is written down by :meth:`write_down`."""

    bootstrap_servers: str
    ledger: Ledger
    dice: Random
    sent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FORMS, 0))
    _marks: set[bytes] = field(default_factory=set)

    async def send(self, org_id: str) -> None:
        """Send one record of some form. Where the broker is away it may or may not have arrived."""
        form = self.dice.choice(FORMS)
        mark = str(uuid.uuid4()).encode()
        self._marks.add(mark)
        key, value, headers = _record(form, mark, org_id)
        # Own connection: a producer that has lost its broker would mix an old failure into a new record.
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap_servers, acks="all", request_timeout_ms=5000, max_request_size=1_000_000
        )
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await producer.start()
                await producer.send_and_wait(INPUT, value=value, key=key, headers=headers)
        except (KafkaError, OSError, TimeoutError):
            return
        finally:
            await producer.stop()
        self.sent[form] += 1

    async def write_down(self) -> int:
        """Find the poison on the topic, which alone knows what arrived, and write its lines; returns how many."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap_servers, group_id=None, enable_auto_commit=False)
        await consumer.start()
        found = 0
        try:
            partitions = [TopicPartition(INPUT, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            while any([await consumer.position(partition) < end for partition, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=50)).values():
                    found += sum(self._line(record) for record in records)
        finally:
            await consumer.stop()
        return found

    def _line(self, record: Any) -> bool:
        headers = dict(record.headers)
        mark = headers.get("mark") or (record.value or b"")[-36:]
        if mark not in self._marks:
            return False
        fields = {}
        if headers.get("ce_type") == SAVED.encode() and headers.get("ce_id"):
            fields["request_id"] = headers["ce_id"].decode()
        self.ledger.poison(record.topic, record.partition, record.offset, **fields)
        return True


def _record(form: str, mark: bytes, org_id: str) -> tuple[bytes | None, bytes | None, Headers]:
    key = org_id.encode()
    save: Headers = [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", str(uuid.uuid4()).encode()),
        ("ce_type", SAVED.encode()),
        ("ce_source", b"/zerotouch/assistant-api"),
        ("ce_time", b"2026-11-24T00:00:00Z"),
        ("ce_orgid", key),
        ("mark", mark),
    ]
    match form:
        case "bad JSON":
            return key, b'{"org_id": \xff\x00', save
        case "null and binary headers":
            return key, b"{}", [("ce_id", None), ("ce_type", b"\xff\x00"), ("mark", mark)]
        case "tombstone":
            return key, None, save
        case "unknown type":
            other: Headers = [(name, b"zerotouch.Other.v9" if name == "ce_type" else value) for name, value in save]
            return key, json.dumps({"org_id": org_id}).encode(), other
        case "900 KB":
            request_id = dict(save)["ce_id"] or b""
            body = {"org_id": org_id, "request_id": request_id.decode(), "filler": "x" * LARGE_BYTES}
            return key, json.dumps(body).encode(), save
        case _:
            return b"\xff\xfe", b"\x00\x80" + mark, []

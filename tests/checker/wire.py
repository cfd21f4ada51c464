"""Reading Kafka records and tools by the written format alone: CloudEvents 1.0 in binary mode, JSON bodies."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from tests.checker.dump import Row

SAVED = "zerotouch.AssistantSaved.v1"
OUTCOME_TYPES = ("zerotouch.ToolsSynced.v1", "zerotouch.ToolSyncFailed.v1")
DIVERGED = "zerotouch.AssistantDiverged.v1"


@dataclass(frozen=True, slots=True)
class Message:
    """A record. What cannot be read is None or {}; `raw` is its value, `at` Kafka's time in seconds."""

    topic: str
    partition: int
    offset: int
    at: float
    key: str | None
    id: str | None
    type: str | None
    org: str | None
    sequence: str | None
    log_id: str | None
    body: Row
    raw: bytes
    headers: tuple[str, ...]
    gone: str | None
    """How it went, where the topic does not have it any more."""

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition, offset."""
        return self.topic, self.partition, self.offset

    @property
    def requests(self) -> list[str]:
        """The request ids that an outcome names."""
        return [str(item["request_id"]) for item in self.body.get("requests") or []]


def message_of(record: Row) -> Message:
    """Read a record of a dump; never fails."""
    headers: dict[str, str] = {}
    for name, value in record["headers"]:
        text = text_of(value)
        if text is not None:
            headers.setdefault(name.lower(), text)
    raw = bytes_of(record["value"]) or b""
    return Message(
        topic=record["topic"],
        partition=record["partition"],
        offset=record["offset"],
        at=record["at"],
        key=text_of(record["key"]),
        id=headers.get("ce_id"),
        type=headers.get("ce_type"),
        org=headers.get("ce_orgid"),
        sequence=headers.get("ce_sequence"),
        log_id=headers.get("log_id"),
        body=_object(raw),
        raw=raw,
        headers=tuple(headers.values()),
        gone=record.get("gone"),
    )


def packed(raw: bytes | None) -> Row | None:
    """Bytes as a dump keeps them: ``{"text"}`` where they are UTF-8, else ``{"base64"}``."""
    if raw is None:
        return None
    try:
        return {"text": raw.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def bytes_of(value: Row | None) -> bytes | None:
    """The bytes that :func:`packed` kept."""
    if value is None:
        return None
    return value["text"].encode() if "text" in value else base64.b64decode(value["base64"])


def text_of(value: Row | None) -> str | None:
    """The text that :func:`packed` kept, None for other bytes."""
    return None if value is None else value.get("text")


def _object(raw: bytes) -> Row:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def canonical(value: Any) -> str:
    """A JSON value as a text that is the same for the same value only: 1, 1.0 and true all differ."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))

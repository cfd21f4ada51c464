"""How a message becomes a Kafka record, and back: CloudEvents 1.0, binary content mode.

    key      the org id, lower-case text
    value    the message as JSON
    headers  content-type, ce_specversion, ce_id, ce_type, ce_source, ce_time, ce_orgid,
             ce_sequence (outcomes; decimal, padded to 20 digits so that text order is number order),
             traceparent (W3C), log_id

CloudEvents Kafka protocol binding 1.0.2, section 3.2, read 2026-11-24.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from zerotouch_contracts.events import (
    ASSISTANT_MESSAGES,
    OUTCOME_MESSAGES,
    TOOL_CALL_MESSAGES,
    AssistantMessage,
    OutcomeMessage,
    ToolCallMessage,
)
from zerotouch_contracts.topics import ASSISTANTS, OUTCOMES, TOOL_CALLS

CONTENT_TYPE: Final = b"application/json"
SEQUENCE_DIGITS: Final = 20
VALUE_BYTES_MAX: Final = 256 * 1024
"""A longer value is not one of ours; it is not parsed."""

UNKNOWN_TYPE: Final = "unknown type"
"""The reason of a record that may be a message of ours from a newer release."""

SOURCE_ASSISTANT_API: Final = "/zerotouch/assistant-api"
SOURCE_TOOL_SYNC: Final = "/zerotouch/tool-sync"

Headers = Iterable[tuple[str, bytes | None]]
AnyMessage = AssistantMessage | OutcomeMessage | ToolCallMessage

_SAID_BY: Final = (
    (ASSISTANT_MESSAGES, SOURCE_ASSISTANT_API, ASSISTANTS),
    (OUTCOME_MESSAGES, SOURCE_TOOL_SYNC, OUTCOMES),
    (TOOL_CALL_MESSAGES, SOURCE_ASSISTANT_API, TOOL_CALLS),
)
_PLACES: Final = {model: (source.encode(), topic.name) for models, source, topic in _SAID_BY for model in models}
_BY_TYPE: Final[Mapping[str, type[AnyMessage]]] = {model.TYPE: model for model in _PLACES}


@dataclass(frozen=True, slots=True)
class Attributes:
    """The CloudEvents attributes and the two headers of our own."""

    id: str
    source: str
    type: str
    time: datetime
    org_id: UUID
    sequence: int | None
    traceparent: str | None
    log_id: UUID | None


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record before it is sent."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class UndecodableRecord(ValueError):
    """A record that is not a message of ours.

    ``reason`` is safe to log: it names fields, never their content. ``id``, ``type``, ``traceparent`` and ``org_id``
    are what could be read all the same.
    """

    def __init__(
        self,
        reason: str,
        *,
        id: str | None = None,  # noqa: A002 - CloudEvents' own name
        type: str | None = None,  # noqa: A002
        org_id: UUID | None = None,
        traceparent: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason, self.id, self.type, self.org_id, self.traceparent = reason, id, type, org_id, traceparent


def to_record(
    message: AnyMessage,
    *,
    id: UUID | str,  # noqa: A002 - CloudEvents' own name
    time: datetime,
    log_id: UUID,
    traceparent: str | None = None,
) -> Record:
    """The record of a message; topic, key, source and sequence follow from the message.

    ``id`` is the request id of an ``AssistantSaved`` and the stored event's id of an outcome: the same message has the
    same id however often it is sent. ``time`` is when it happened, with a time zone.
    """
    source, topic = _PLACES[type(message)]
    org_id = str(message.org_id).encode()
    headers = [
        ("content-type", CONTENT_TYPE),
        ("ce_specversion", b"1.0"),
        ("ce_id", str(id).encode()),
        ("ce_type", message.TYPE.encode()),
        ("ce_source", source),
        ("ce_time", to_rfc3339(time).encode()),
        ("ce_orgid", org_id),
        ("log_id", str(log_id).encode()),
    ]
    if isinstance(message, OUTCOME_MESSAGES):
        headers.append(("ce_sequence", f"{message.sequence:0{SEQUENCE_DIGITS}d}".encode()))
    if traceparent:
        headers.append(("traceparent", traceparent.encode()))
    return Record(
        topic=topic,
        key=org_id,
        value=message.model_dump_json().encode(),
        headers=tuple(headers),
    )


def from_record(key: bytes | None, value: bytes | None, headers: Headers) -> tuple[AnyMessage, Attributes]:
    """The message and attributes of a record.

    Raises :class:`UndecodableRecord` for everything that is not exactly a message of ours: a tombstone, another content
    type, an unknown type, a body that does not validate, a key or ``ce_orgid`` that is not the body's org in the
    spelling that we write, a ``ce_sequence`` that is not the body's. Of a repeated JSON key the last one counts.
    """
    fields = text_headers(headers)
    known = {"id": fields.get("ce_id"), "type": fields.get("ce_type"), "traceparent": fields.get("traceparent")}
    org_id = _uuid_or_none(_decoded(key))

    def refuse(reason: str) -> UndecodableRecord:
        return UndecodableRecord(reason, **known, org_id=org_id)

    if (reason := unreadable(fields, value, _BY_TYPE)) is not None:
        raise refuse(reason)
    assert value is not None
    try:
        message = _BY_TYPE[fields["ce_type"]].model_validate_json(value)
    except ValidationError as error:
        raise refuse(without_input(error)) from None
    except UnicodeError:
        raise refuse("the value is not UTF-8") from None
    # Text, not value: another spelling of the same UUID would hash to another partition and break the org's order.
    if key != str(message.org_id).encode():
        raise refuse("the key is not the org id of the body")
    if fields.get("ce_orgid") != str(message.org_id):
        raise refuse("header ce_orgid is not the org id of the body")
    sequence = getattr(message, "sequence", None)
    if sequence is not None and fields.get("ce_sequence") != f"{sequence:0{SEQUENCE_DIGITS}d}":
        raise refuse("header ce_sequence is not the sequence of the body")
    try:
        time = datetime.fromisoformat(fields["ce_time"])
    except ValueError:
        raise refuse("header ce_time is not an RFC 3339 time") from None
    return message, Attributes(
        id=fields["ce_id"],
        source=fields["ce_source"],
        type=fields["ce_type"],
        time=time if time.tzinfo else time.replace(tzinfo=UTC),
        org_id=message.org_id,
        sequence=sequence,
        traceparent=fields.get("traceparent"),
        log_id=_uuid_or_none(fields.get("log_id")),
    )


def unreadable(fields: Mapping[str, str], value: bytes | None, types: Collection[str]) -> str | None:
    """Why a record is not even to be decoded as one of ``types``, or None."""
    if value is None:
        return "the record has no value"
    if len(value) > VALUE_BYTES_MAX:
        return f"the value has {len(value)} bytes, at most {VALUE_BYTES_MAX} are allowed"
    if fields.get("ce_specversion") != "1.0":
        return "header ce_specversion is not 1.0"
    if fields.get("content-type", "").partition(";")[0].strip().lower() != CONTENT_TYPE.decode():
        return "header content-type is not application/json"
    if missing := [name for name in ("ce_id", "ce_type", "ce_source", "ce_time") if not fields.get(name)]:
        return f"missing or unreadable headers: {', '.join(missing)}"
    return None if fields["ce_type"] in types else UNKNOWN_TYPE


def to_rfc3339(time: datetime) -> str:
    """A time as ``ce_time`` has it."""
    if time.tzinfo is None:
        raise ValueError("time must have a time zone")
    utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    return utc.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _decoded(raw: bytes | None) -> str | None:
    try:
        return None if raw is None else raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def text_headers(headers: Headers) -> dict[str, str]:
    """Headers that are text; the first of a name counts, null and binary ones are as good as absent."""
    fields: dict[str, str] = {}
    for name, raw in headers:
        text = _decoded(raw)
        if text is not None and "\x00" not in text and len(text) <= 512:
            fields.setdefault(name.lower(), text)
    return fields


def _uuid_or_none(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def without_input(error: ValidationError) -> str:
    """The problems of a validation, each with its place; never the value, which may hold anything."""
    problems: Sequence[str] = [
        f"{'.'.join(str(part) for part in item['loc']) or 'body'}: {item['type']}"
        for item in error.errors(include_input=False, include_url=False, include_context=False)[:5]
    ]
    return "; ".join(problems)[:400]

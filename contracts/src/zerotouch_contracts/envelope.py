"""How a message becomes a Kafka record, and back: CloudEvents 1.0, binary content mode.

    key      the org id, lower-case text; of a message about a rollout the rollout's id
    value    the message as JSON
    headers  content-type, ce_specversion, ce_id, ce_type, ce_source, ce_time, ce_orgid or ce_rolloutid,
             ce_sequence (what tool-sync says; decimal, padded to 20 digits so that text order is number order),
             traceparent (W3C), log_id

CloudEvents Kafka protocol binding 1.0.2, section 3.2, read 2026-11-24.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from zerotouch_contracts.events import (
    ASSISTANT_MESSAGES,
    ERASURE_MESSAGES,
    OUTCOME_MESSAGES,
    TOOL_CALL_MESSAGES,
    AssistantMessage,
    ErasureMessage,
    OutcomeMessage,
    ToolCallMessage,
)
from zerotouch_contracts.fleet import FLEET_MESSAGES, FleetMessage, RolloutMessage
from zerotouch_contracts.text import uuid_of
from zerotouch_contracts.topics import ASSISTANTS, ERASURES, FLEET, OUTCOMES, TOOL_CALLS

CONTENT_TYPE: Final = b"application/json"
SEQUENCE_DIGITS: Final = 20
VALUE_BYTES_MAX: Final = 256 * 1024
"""A longer value is not one of ours; it is not parsed."""

UNKNOWN_TYPE: Final = "unknown type"
"""The reason of a record that may be a message of ours from a newer release."""

SOURCE_ASSISTANT_API: Final = "/zerotouch/assistant-api"
SOURCE_TOOL_SYNC: Final = "/zerotouch/tool-sync"

Headers = Iterable[tuple[str, bytes | None]]
AnyMessage = AssistantMessage | OutcomeMessage | ToolCallMessage | ErasureMessage
"""Each is about an org. What is said of the fleet is beside them (:func:`from_fleet_record`)."""
M = TypeVar("M", AnyMessage, FleetMessage)
B = TypeVar("B", bound=BaseModel)

_SAID_BY: Final = (
    (ASSISTANT_MESSAGES, SOURCE_ASSISTANT_API, ASSISTANTS),
    (OUTCOME_MESSAGES, SOURCE_TOOL_SYNC, OUTCOMES),
    (TOOL_CALL_MESSAGES, SOURCE_ASSISTANT_API, TOOL_CALLS),
    (ERASURE_MESSAGES, SOURCE_ASSISTANT_API, ERASURES),
    (FLEET_MESSAGES, SOURCE_TOOL_SYNC, FLEET),
)
_PLACES: Final[Mapping[type[AnyMessage | FleetMessage], tuple[str, str]]] = {
    model: (source, topic.name) for models, source, topic in _SAID_BY for model in models
}
_BY_TYPE: Final[Mapping[str, type[AnyMessage]]] = {
    model.TYPE: model for model in (*ASSISTANT_MESSAGES, *OUTCOME_MESSAGES, *TOOL_CALL_MESSAGES, *ERASURE_MESSAGES)
}
_FLEET_BY_TYPE: Final[Mapping[str, type[FleetMessage]]] = {model.TYPE: model for model in FLEET_MESSAGES}


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
class FleetAttributes:
    """The same of a message of the fleet's topic, which may be about no org; the message says what it is about."""

    id: str
    source: str
    type: str
    time: datetime
    sequence: int
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
    message: AnyMessage | FleetMessage,
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
    subject, key = subject_of(message)
    sequence = getattr(message, "sequence", None)
    counted = None if sequence is None else f"{sequence:0{SEQUENCE_DIGITS}d}"
    more = (subject, key), ("log_id", str(log_id)), ("ce_sequence", counted), ("traceparent", traceparent)
    headers = event_headers(id, message.TYPE, source, time, *more)
    return Record(topic, key.encode(), message.model_dump_json().encode(), headers)


def event_headers(
    event_id: UUID | str, event_type: str, source: str, time: datetime, *more: tuple[str, str | None]
) -> tuple[tuple[str, bytes], ...]:
    """The headers with which every record begins, and ``more``, but for those that say nothing."""
    return (
        ("content-type", CONTENT_TYPE),
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event_id).encode()),
        ("ce_type", event_type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", to_rfc3339(time).encode()),
        *((name, text.encode()) for name, text in more if text),
    )


def subject_of(message: AnyMessage | FleetMessage) -> tuple[str, str]:
    """What a message is about: the header that says it, and its text, which is the record's key, too."""
    if isinstance(message, RolloutMessage):
        return "ce_rolloutid", message.rollout_id
    return "ce_orgid", str(message.org_id)


def from_record(key: bytes | None, value: bytes | None, headers: Headers) -> tuple[AnyMessage, Attributes]:
    """The message and attributes of a record that is about an org; of the fleet's topic: :func:`from_fleet_record`.

    Raises :class:`UndecodableRecord` for everything that is not exactly a message of ours: a tombstone, another content
    type, an unknown type, a body that does not validate, a key or ``ce_orgid`` that is not the body's org in the
    spelling that we write, a ``ce_sequence`` that is not the body's. Of a repeated JSON key the last one counts.
    """
    message, said = _read(key, value, headers, _BY_TYPE)
    return message, Attributes(**said, org_id=message.org_id)


def from_fleet_record(key: bytes | None, value: bytes | None, headers: Headers) -> tuple[FleetMessage, FleetAttributes]:
    """The message and attributes of a record of ``tool-sync.fleet.v1``. Raises as :func:`from_record` does."""
    message, said = _read(key, value, headers, _FLEET_BY_TYPE)
    return message, FleetAttributes(**said)


def _read(
    key: bytes | None, value: bytes | None, headers: Headers, types: Mapping[str, type[M]]
) -> tuple[M, dict[str, Any]]:
    """The message of a record, and what its attributes are."""
    fields = text_headers(headers)
    refuse = refusing(fields, org_id=uuid_of(_decoded(key)), traceparent=fields.get("traceparent"))
    message = body_of(types, fields, value, refuse)
    # Text, not value: another spelling of the same UUID would hash to another partition and break the org's order.
    subject, named = subject_of(message)
    about = "org id" if subject == "ce_orgid" else "rollout"
    if key != named.encode():
        raise refuse(f"the key is not the {about} of the body")
    if fields.get(subject) != named:
        raise refuse(f"header {subject} is not the {about} of the body")
    sequence = getattr(message, "sequence", None)
    if sequence is not None and fields.get("ce_sequence") != f"{sequence:0{SEQUENCE_DIGITS}d}":
        raise refuse("header ce_sequence is not the sequence of the body")
    try:
        time = datetime.fromisoformat(fields["ce_time"])
    except ValueError:
        raise refuse("header ce_time is not an RFC 3339 time") from None
    return message, {
        "id": fields["ce_id"],
        "source": fields["ce_source"],
        "type": fields["ce_type"],
        "time": time if time.tzinfo else time.replace(tzinfo=UTC),
        "sequence": sequence,
        "traceparent": fields.get("traceparent"),
        "log_id": uuid_of(fields.get("log_id")),
    }


def refusing(
    fields: Mapping[str, str], *, org_id: UUID | None = None, traceparent: str | None = None
) -> Callable[[str], UndecodableRecord]:
    """Makes the error of a record with these headers, of its reason."""
    return partial(
        UndecodableRecord, id=fields.get("ce_id"), type=fields.get("ce_type"), org_id=org_id, traceparent=traceparent
    )


def body_of(
    types: Mapping[str, type[B]],
    fields: Mapping[str, str],
    value: bytes | None,
    refuse: Callable[[str], UndecodableRecord],
) -> B:
    """The body of a record that is one of ``types``, as its headers say; raises what ``refuse`` makes elsewhere."""
    if (reason := unreadable(fields, value, types)) is not None:
        raise refuse(reason)
    assert value is not None
    try:
        return types[fields["ce_type"]].model_validate_json(value)
    except ValidationError as error:
        raise refuse(without_input(error)) from None
    except UnicodeError:
        raise refuse("the value is not UTF-8") from None


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


def without_input(error: ValidationError) -> str:
    """The problems of a validation, each with its place; never the value, which may hold anything."""
    errors = error.errors(include_input=False, include_url=False, include_context=False)[:5]
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['type']}" for item in errors)[:400]

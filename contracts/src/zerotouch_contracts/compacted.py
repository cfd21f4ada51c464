"""Records of the compacted topics that say how something of a clinic is now: its names, and its account at Vapi.

The newest record of a key counts; one without a value says that there is no more, and has the same headers but for its
content type. What the keys are, and whom a body is about, says each topic's own module.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, TypedDict, TypeVar, Unpack
from uuid import UUID

from zerotouch_contracts.envelope import SOURCE_ASSISTANT_API, Headers, body_of, event_headers, refusing, text_headers
from zerotouch_contracts.events import Message
from zerotouch_contracts.topics import Topic

M = TypeVar("M", bound=Message)


class Stamp(TypedDict):
    """What a record says besides its message: its id, when it happened, in which log, and in which trace."""

    id: UUID
    time: datetime
    log_id: UUID
    traceparent: NotRequired[str | None]


@dataclass(frozen=True, slots=True)
class CompactedRecord:
    """A record before it is sent; without a value the topic forgets its key."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def compacted_record(
    topic: Topic, key: bytes, org_id: UUID, kind: type[M], message: M | None, **stamp: Unpack[Stamp]
) -> CompactedRecord:
    """The record that says ``message`` of a key, or without one that there is nothing to be said of it any more."""
    log_id, traceparent = str(stamp["log_id"]), stamp.get("traceparent")
    more = ("ce_orgid", str(org_id)), ("log_id", log_id), ("traceparent", traceparent)
    headers = event_headers(stamp["id"], kind.TYPE, SOURCE_ASSISTANT_API, stamp["time"], *more)
    value = None if message is None else message.model_dump_json().encode()
    return CompactedRecord(topic.name, key, value, headers if value is not None else headers[1:])


def read_compacted(
    kind: type[M], org_id: UUID, is_about: Callable[[M], bool], value: bytes | None, headers: Headers
) -> tuple[M | None, UUID]:
    """What a record says, None where it has no value, and the id of the log that it belongs to.

    ``is_about``: whether a body is about whom its key names. Raises
    :class:`~zerotouch_contracts.envelope.UndecodableRecord` for everything else, without anything of its content.
    """
    fields = text_headers(headers)
    refuse = refusing(fields, org_id=org_id)
    try:
        log_id = UUID(fields.get("log_id", ""))
    except ValueError:
        raise refuse("header log_id is no UUID") from None
    if value is None:
        return None, log_id
    message = body_of({kind.TYPE: kind}, fields, value, refuse)
    if not is_about(message):
        raise refuse("the key is not whom the body is about")
    return message, log_id

"""An outcome with its envelope, whether it came from the topic or from the feed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from zerotouch_contracts.envelope import SOURCE_TOOL_SYNC, UNKNOWN_TYPE, Headers, UndecodableRecord, from_record
from zerotouch_contracts.events import OUTCOME_MESSAGES, OutcomeMessage
from zerotouch_contracts.subscriber.errors import FeedUnavailable
from zerotouch_contracts.subscriber.unknown import Unknown, unknown_of

_BY_TYPE: Final[Mapping[str, type[OutcomeMessage]]] = {model.TYPE: model for model in OUTCOME_MESSAGES}


@dataclass(frozen=True, slots=True)
class Delivered:
    """An outcome. ``id`` is the same however often it is sent; ``position`` is its place in the log, None where the
    topic brought it."""

    message: OutcomeMessage
    id: str
    time: datetime
    log_id: UUID
    traceparent: str | None = None
    position: int | None = None

    @property
    def org_id(self) -> UUID:
        """The clinic."""
        return self.message.org_id

    @property
    def sequence(self) -> int:
        """Its number among the clinic's messages: 1, 2, 3 …"""
        return self.message.sequence

    @property
    def trace_id(self) -> str | None:
        """What to look for in Jaeger."""
        parts = (self.traceparent or "").split("-")
        return parts[1] if len(parts) == 4 else None


Incoming = Delivered | Unknown
"""What topic and feed bring."""


def decode(key: bytes | None, value: bytes | None, headers: Headers) -> Incoming:
    """The outcome in a record of the outcomes topic, or what is known of one whose type is newer than this release.

    Raises :class:`~zerotouch_contracts.envelope.UndecodableRecord` for what is no message of ours at all. It may be
    passed over: were it a damaged one of ours, the org's next sequence would show the hole.
    """
    headers = tuple(headers)
    try:
        message, attributes = from_record(key, value, headers)
    except UndecodableRecord as error:
        fields = {name.lower(): (raw or b"").decode("utf-8", "replace") for name, raw in reversed(headers)}
        if error.reason != UNKNOWN_TYPE or fields["ce_source"] != SOURCE_TOOL_SYNC:
            raise
        if "ce_sequence" in fields and (key or b"").decode("utf-8", "replace") != fields.get("ce_orgid"):
            raise UndecodableRecord("the key is not the org id", id=error.id, type=error.type) from None
        read = {name.removeprefix("ce_"): text for name, text in fields.items()} | {"id": error.id, "type": error.type}
        return unknown_of(read, fields.get("log_id"))
    if not isinstance(message, OUTCOME_MESSAGES):
        raise UndecodableRecord("not an outcome", id=attributes.id, type=attributes.type, org_id=attributes.org_id)
    if attributes.log_id is None:
        raise UndecodableRecord("header log_id is missing", id=attributes.id, type=attributes.type)
    return Delivered(message, attributes.id, attributes.time, attributes.log_id, attributes.traceparent)


def from_feed(item: Mapping[str, Any], log_id: UUID) -> Incoming:
    """The outcome in an item of the feed, as :func:`decode`. Raises :class:`FeedUnavailable`."""
    try:
        position, type_name = int(item["position"]), str(item["type"])
        model = _BY_TYPE.get(type_name)
        if model is None:
            return unknown_of(item, log_id)
        time = datetime.fromisoformat(str(item["time"]))
        traceparent = item.get("traceparent")
        return Delivered(
            message=model.model_validate(item["data"]),
            id=str(item["id"]),
            time=time if time.tzinfo else time.replace(tzinfo=UTC),
            log_id=log_id,
            traceparent=None if traceparent is None else str(traceparent),
            position=position,
        )
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise FeedUnavailable(f"an item is not as promised: {type(error).__name__}") from None

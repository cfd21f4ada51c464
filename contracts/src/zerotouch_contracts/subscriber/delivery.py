"""A message with its envelope, whether it came from a topic or from the feed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from pydantic import ValidationError

from zerotouch_contracts.envelope import (
    SOURCE_TOOL_SYNC,
    UNKNOWN_TYPE,
    Headers,
    UndecodableRecord,
    from_fleet_record,
    from_record,
)
from zerotouch_contracts.events import OUTCOME_MESSAGES, OutcomeMessage
from zerotouch_contracts.fleet import FLEET_MESSAGES, FleetMessage, RolloutEnded, RolloutStarted, rollout_key
from zerotouch_contracts.subscriber.errors import FeedUnavailable
from zerotouch_contracts.subscriber.unknown import Unknown, unknown_of

M = TypeVar("M", OutcomeMessage, FleetMessage)


@dataclass(frozen=True, slots=True)
class Enveloped(Generic[M]):
    """A message. ``id`` is the same however often it is sent; ``position`` is its place in the log, None where a topic
    brought it."""

    message: M
    id: str
    time: datetime
    log_id: UUID
    traceparent: str | None = None
    position: int | None = None

    @property
    def key(self) -> UUID:
        """Whose message it is: the clinic, or what stands for the rollout (:func:`.fleet.rollout_key`)."""
        if isinstance(self.message, RolloutStarted | RolloutEnded):
            return rollout_key(self.message.rollout_id)
        return self.message.org_id

    @property
    def asked_org(self) -> UUID | None:
        """The clinic whose page of the feed holds it; None: only the page of all does."""
        return None if isinstance(self.message, RolloutStarted | RolloutEnded) else self.message.org_id

    @property
    def sequence(self) -> int:
        """Its number among the messages of its key: 1, 2, 3 …"""
        return self.message.sequence

    @property
    def trace_id(self) -> str | None:
        """What to look for in Jaeger."""
        parts = (self.traceparent or "").split("-")
        return parts[1] if len(parts) == 4 else None


class Delivered(Enveloped[OutcomeMessage]):
    """An outcome."""

    __slots__ = ()

    @property
    def org_id(self) -> UUID:
        """The clinic."""
        return self.message.org_id


class FleetDelivered(Enveloped[FleetMessage]):
    """What became of a clinic's tool, or of a rollout."""

    __slots__ = ()


Incoming = Delivered | Unknown
"""What topic and feed of the outcomes bring."""
FleetIncoming = FleetDelivered | Unknown


def decode(key: bytes | None, value: bytes | None, headers: Headers) -> Incoming:
    """The outcome in a record of the outcomes topic, or what is known of one whose type is newer than this release.

    Raises :class:`~zerotouch_contracts.envelope.UndecodableRecord` for what is no message of ours at all. It may be
    passed over: were it a damaged one of ours, the org's next sequence would show the hole.
    """
    headers = tuple(headers)
    try:
        message, attributes = from_record(key, value, headers)
    except UndecodableRecord as error:
        return _newer(error, key, headers)
    if not isinstance(message, OUTCOME_MESSAGES):
        raise UndecodableRecord("not an outcome", id=attributes.id, type=attributes.type, org_id=attributes.org_id)
    if attributes.log_id is None:
        raise UndecodableRecord("header log_id is missing", id=attributes.id, type=attributes.type)
    return Delivered(message, attributes.id, attributes.time, attributes.log_id, attributes.traceparent)


def decode_fleet(key: bytes | None, value: bytes | None, headers: Headers) -> FleetIncoming:
    """The message in a record of the fleet's topic; as :func:`decode` in all else."""
    headers = tuple(headers)
    try:
        message, attributes = from_fleet_record(key, value, headers)
    except UndecodableRecord as error:
        return _newer(error, key, headers)
    if attributes.log_id is None:
        raise UndecodableRecord("header log_id is missing", id=attributes.id, type=attributes.type)
    return FleetDelivered(message, attributes.id, attributes.time, attributes.log_id, attributes.traceparent)


def _newer(error: UndecodableRecord, key: bytes | None, headers: Headers) -> Unknown:
    """What is known of a record that could not be decoded, where its type may be newer; raises the error elsewhere."""
    fields = {name.lower(): (raw or b"").decode("utf-8", "replace") for name, raw in reversed(tuple(headers))}
    if error.reason != UNKNOWN_TYPE or fields["ce_source"] != SOURCE_TOOL_SYNC:
        raise error
    about = fields.get("ce_orgid", fields.get("ce_rolloutid"))
    if "ce_sequence" in fields and (key or b"").decode("utf-8", "replace") != about:
        raise UndecodableRecord("the key is not the org id", id=error.id, type=error.type) from None
    read = {name.removeprefix("ce_"): text for name, text in fields.items()} | {"id": error.id, "type": error.type}
    return unknown_of(read, fields.get("log_id"))


_OUTCOMES_BY_TYPE: Final[Mapping[str, type[OutcomeMessage]]] = {model.TYPE: model for model in OUTCOME_MESSAGES}
_FLEET_BY_TYPE: Final[Mapping[str, type[FleetMessage]]] = {model.TYPE: model for model in FLEET_MESSAGES}


def from_feed(item: Mapping[str, Any], log_id: UUID) -> Incoming:
    """The outcome in an item of the feed, as :func:`decode`. Raises :class:`FeedUnavailable`."""
    return _from_feed(item, log_id, _OUTCOMES_BY_TYPE, Delivered)


def from_fleet_feed(item: Mapping[str, Any], log_id: UUID) -> FleetIncoming:
    """The message in an item of the fleet's feed, as :func:`decode_fleet`. Raises :class:`FeedUnavailable`."""
    return _from_feed(item, log_id, _FLEET_BY_TYPE, FleetDelivered)


D = TypeVar("D", bound=Enveloped[Any])


def _from_feed(
    item: Mapping[str, Any], log_id: UUID, types: Mapping[str, type[Any]], make: Callable[..., D]
) -> D | Unknown:
    try:
        position, type_name = int(item["position"]), str(item["type"])
        model = types.get(type_name)
        if model is None:
            return unknown_of(item, log_id)
        time = datetime.fromisoformat(str(item["time"]))
        traceparent = item.get("traceparent")
        return make(
            message=model.model_validate(item["data"]),
            id=str(item["id"]),
            time=time if time.tzinfo else time.replace(tzinfo=UTC),
            log_id=log_id,
            traceparent=None if traceparent is None else str(traceparent),
            position=position,
        )
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise FeedUnavailable(f"an item is not as promised: {type(error).__name__}") from None

"""One Kafka record -> the one append request that it stands for, or poison. Pure.

The event's id comes from the CloudEvents source and id, so that the same record, delivered again, is a duplicate.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from uuid import UUID

from aiokafka import ConsumerRecord

from tool_sync.domain import events
from tool_sync.log import AppendRequest, fact, org_stream
from tool_sync.release import SERVICE_VERSION
from zerotouch_contracts.envelope import SOURCE_ASSISTANT_API, AnyMessage, UndecodableRecord, from_record
from zerotouch_contracts.events import (
    AssistantDeleted,
    AssistantSaved,
    OrganizationDeleted,
    OrganizationSaved,
)
from zerotouch_platform.traceparent import trace_id_of, valid_traceparent

Record: TypeAlias = ConsumerRecord[Any, Any]

ACTOR: Final = "assistant-api"


@dataclass(frozen=True, slots=True)
class Readable:
    """A record and what is appended for it."""

    record: Record
    traceparent: str | None
    request: AppendRequest


@dataclass(frozen=True, slots=True)
class Poison:
    """A record that cannot be taken in, and why. ``request``: the save that it was gets its outcome all the same."""

    record: Record
    traceparent: str | None
    reason: str
    org_id: UUID | None
    request: AppendRequest | None


def read_record(record: Record) -> Readable | Poison:
    """Map a record of the assistants topic; never raises, whatever the record holds."""
    try:
        message, attributes = from_record(record.key, record.value, record.headers)
    except UndecodableRecord as error:
        traceparent = valid_traceparent(error.traceparent)
        return Poison(record, traceparent, error.reason, error.org_id, _unreadable_save(error, traceparent))
    traceparent = valid_traceparent(attributes.traceparent)
    event = _event_of(message, traceparent)
    if event is None:
        return Poison(record, traceparent, f"{attributes.type} does not belong here", message.org_id, None)
    request = _append(attributes.org_id, event, attributes.id, traceparent, source=attributes.source)
    return Readable(record, traceparent, request)


def as_poison(readable: Readable, reason: str) -> Poison:
    """A record that could be read but not be stored, because of what it holds."""
    event, org_id = readable.request.events[0].event, readable.request.org_id
    request = None
    if isinstance(event, events.SyncRequested) and org_id is not None:
        unreadable = events.RequestUnreadable(event.request_id, event.trace_id)
        request = _append(org_id, unreadable, str(event.request_id), readable.traceparent)
    return Poison(readable.record, readable.traceparent, reason, org_id, request)


def _event_of(message: AnyMessage, traceparent: str | None) -> events.OrgEvent | None:
    match message:
        case OrganizationSaved(revision=1):
            return events.OrgRegistered(message.tier, message.time_zone)
        case OrganizationSaved():
            return events.OrgTierChanged(message.tier, message.time_zone)
        case OrganizationDeleted():
            return events.OrgClosed()
        case AssistantSaved():
            return events.SyncRequested(
                request_id=message.request_id,
                agent_id=message.agent_id,
                assistant_id=message.assistant_id,
                revision=message.revision,
                model_hash=message.model_hash,
                cause=message.cause,
                trace_id=trace_id_of(traceparent),
                account=message.vapi_account,
            )
        case AssistantDeleted():
            return events.AssistantRemoved(message.agent_id, message.assistant_id, message.revision)
        case _:
            return None


def _unreadable_save(error: UndecodableRecord, traceparent: str | None) -> AppendRequest | None:
    if error.type != AssistantSaved.TYPE or error.org_id is None or error.id is None:
        return None
    try:
        request_id = UUID(error.id)
    except ValueError:
        return None
    event = events.RequestUnreadable(request_id, trace_id_of(traceparent))
    return _append(error.org_id, event, str(request_id), traceparent)


def _append(
    org_id: UUID, event: events.OrgEvent, cause: str, traceparent: str | None, source: str = SOURCE_ASSISTANT_API
) -> AppendRequest:
    return fact(
        org_stream(org_id), org_id, event, source=source, cause=cause, actor=ACTOR, service_version=SERVICE_VERSION,
        correlation_id=trace_id_of(traceparent), traceparent=traceparent,
    )  # fmt: skip

"""One log and two releases: the one at hand, and a newer one that knows a further type and newer schemas."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

from pydantic import TypeAdapter

from tool_sync import db
from tool_sync.domain import events as e
from tool_sync.log import AppendRequest, Meta, NewEvent, codec, org_stream, toolset_stream
from tool_sync.log.codec import Encoded
from tool_sync.log.statement import EncodedRequest, execute

META = Meta("cause", "correlation", None, "test", "1")

HASH = "a" * 64


@dataclass(frozen=True, slots=True)
class ClinicRenamed:
    """What only the newer release knows: it arrives in the org's stream."""

    name: str


NEWER_SCHEMA = 3


def _from_1(document: dict[str, Any]) -> dict[str, Any]:
    return {"level": document["tier"]}


def _from_2(document: dict[str, Any]) -> dict[str, Any]:
    return {"tier": document["level"].lower()}


@contextmanager
def newer_release() -> Iterator[None]:
    """Within it, the codec is the newer release's: a further type, and a schema that was raised twice."""
    with (
        patch.object(codec, "SCHEMAS", {**codec.SCHEMAS, "ClinicRenamed": 1, "OrgTierChanged": NEWER_SCHEMA}),
        patch.object(codec, "UPCASTERS", {("OrgTierChanged", 1): _from_1, ("OrgTierChanged", 2): _from_2}),
        patch.object(codec, "_ADAPTERS", {**codec._ADAPTERS, "ClinicRenamed": TypeAdapter(ClinicRenamed)}),
    ):
        yield


def stored(org_id: UUID, type_name: str, schema: int = 1, data: str = "{}") -> EncodedRequest:
    """An event of the org's stream as it lies in the log, whoever can read it."""
    return EncodedRequest(org_stream(org_id), org_id, None, META_TEXT, (uuid4(),), (Encoded(type_name, schema, data),))


META_TEXT = (
    '{"causation_id":"cause","correlation_id":"correlation","traceparent":null,"actor":"test","service_version":"2"}'
)


async def write(pool: db.Pool, *requests: EncodedRequest) -> None:
    """Append them as they are."""
    async with pool.acquire() as connection:
        await execute(connection, list(requests))


def arrived(org_id: UUID, *events: e.Event) -> AppendRequest:
    return AppendRequest(org_stream(org_id), org_id, None, tuple(NewEvent(uuid4(), event) for event in events), META)


def did(org_id: UUID, *events: e.Event) -> AppendRequest:
    new = tuple(NewEvent(uuid4(), event) for event in events)
    return AppendRequest(toolset_stream(org_id), org_id, None, new, META)


def save(revision: int = 1) -> e.SyncRequested:
    return e.SyncRequested(uuid4(), "agent-1", "assistant-1", revision, HASH, "save", None)


def synced(sequence: int) -> e.AssistantSynced:
    return e.AssistantSynced("agent-1", "assistant-1", 1, "platform", (), (), 1, None, sequence)

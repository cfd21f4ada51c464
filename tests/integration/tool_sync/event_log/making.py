"""Requests for the log, and raw looks at its tables, for the tests here."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
from tests.support.eventually import eventually

from tool_sync.domain.events import Event, OrgRegistered, OrgSettled, SyncRequested
from tool_sync.log import AppendRequest, EventLog, Meta, NewEvent, org_stream, toolset_stream
from tool_sync.log.codec import Encoded
from tool_sync.log.statement import EncodedRequest

META = Meta("cause-1", "correlation-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "test", "0")


def arrived(org_id: UUID, *events: Event, expected: int | None = None, ids: tuple[UUID, ...] = ()) -> AppendRequest:
    """A request for the org's stream of what arrives; by default one `OrgRegistered`, with a new id."""
    return _request(org_stream(org_id), org_id, events or (OrgRegistered("basic"),), expected, ids)


def done(org_id: UUID, *events: Event, expected: int | None = None, ids: tuple[UUID, ...] = ()) -> AppendRequest:
    """A request for the org's stream of what we did; by default one `OrgSettled`, with a new id."""
    return _request(toolset_stream(org_id), org_id, events or (OrgSettled(0),), expected, ids)


def _request(
    stream: str, org_id: UUID, events: tuple[Event, ...], expected: int | None, ids: tuple[UUID, ...]
) -> AppendRequest:
    ids = ids or tuple(uuid4() for _ in events)
    new = tuple(NewEvent(event_id, event) for event_id, event in zip(ids, events, strict=True))
    return AppendRequest(stream, org_id, expected, new, META)


def save(agent_id: str = "agent-1", assistant_id: str = "assistant-1", revision: int = 1) -> SyncRequested:
    """A save of an assistant."""
    return SyncRequested(uuid4(), agent_id, assistant_id, revision, f"{revision:064x}", "save", None)


def foreign(org_id: UUID, type_name: str, schema: int = 1, data: str = "{}") -> EncodedRequest:
    """An event as another release might write it."""
    return EncodedRequest(org_stream(org_id), org_id, None, "{}", (uuid4(),), (Encoded(type_name, schema, data),))


async def waiting(log: EventLog, number: int) -> None:
    """Returns once that many requests are queued."""

    async def check() -> bool:
        return log.waiting == number

    await eventually(check)


async def count(connection: "asyncpg.Connection[asyncpg.Record]", table: str, where: str = "true") -> int:
    """The number of rows that the connection sees."""
    number: int = await connection.fetchval(f"SELECT count(*) FROM {table} WHERE {where}")  # noqa: S608
    return number


async def rows(connection: "asyncpg.Connection[asyncpg.Record]", query: str, *arguments: Any) -> list[dict[str, Any]]:
    """The rows of a query as dictionaries."""
    return [dict(row) for row in await connection.fetch(query, *arguments)]

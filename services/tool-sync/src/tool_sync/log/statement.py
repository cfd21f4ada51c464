"""One call of the SQL function ``append``: requests to its arrays, its rows to results."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from tool_sync.db import Connection
from tool_sync.log import codec
from tool_sync.log.errors import AppendRejected
from tool_sync.log.records import Appended, AppendRequest, AppendResult, Conflict, Duplicate, Meta

APPEND = """
SELECT outcome, first_position, last_version, at
FROM append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

_META = TypeAdapter(Meta)


# Encoded before it is queued: what cannot be written is its caller's fault alone and never reaches a shared round.
@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """A request as bytes that can be sent again, the same, as often as needed."""

    stream: str
    org_id: UUID | None
    expected_version: int | None
    meta: str
    ids: tuple[UUID, ...]
    events: tuple[codec.Encoded, ...]
    lease_token: UUID | None = None


def encode(request: AppendRequest) -> EncodedRequest:
    """Raises `AppendRejected` where the data cannot be written as JSON."""
    try:
        return EncodedRequest(
            request.stream,
            request.org_id,
            request.expected_version,
            _META.dump_json(request.meta).decode(),
            tuple(new.event_id for new in request.events),
            tuple(codec.encode(new.event) for new in request.events),
            request.lease_token,
        )
    except PydanticSerializationError as error:
        raise AppendRejected(request.stream, None, str(error)) from error


async def execute(connection: Connection, requests: Sequence[EncodedRequest]) -> list[AppendResult]:
    """Appends the requests in one transaction of its own; the results are in their order.

    Raises `asyncpg.PostgresError`; then nothing is stored, unless the connection was lost.
    """
    # Arrays of columns, not one call a request: the lock is taken once a round, and the plan is one for any number.
    # Events of all requests lie in one array; each request's number of ids says which are its own.
    events = [event for request in requests for event in request.events]
    rows = await connection.fetch(
        APPEND,
        [request.stream for request in requests],
        [request.org_id for request in requests],
        [request.expected_version for request in requests],
        [request.meta for request in requests],
        [len(request.ids) for request in requests],
        [event_id for request in requests for event_id in request.ids],
        [event.type_name for event in events],
        [event.schema for event in events],
        [event.data for event in events],
        [request.lease_token for request in requests],
    )
    return [_result(row) for row in rows]


def _result(row: asyncpg.Record) -> AppendResult:
    outcome, first_position, version, recorded_at = row
    match outcome:
        case "appended":
            return Appended(first_position, version, recorded_at)
        case "duplicate":
            return Duplicate(first_position, version, recorded_at)
        case "conflict":
            return Conflict(version)
        case _:
            raise AssertionError(f"append answered {outcome!r}")

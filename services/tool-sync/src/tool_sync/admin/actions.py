"""What operators did of which the log has no event, or none that says who and why: a row in its transaction (ADR 56).

Where the work is too long for a transaction, the row stands before it begins.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from tool_sync.db import Connection
from zerotouch_platform.operators import operator


class OperatorAction(StrEnum):
    """The kind of object, and what was done to it. A closed list; names are kept for ever."""

    LOST_RECORDS_ACKNOWLEDGE = "lost_records.acknowledge"
    DEAD_LETTER_ACKNOWLEDGE = "dead_letter.acknowledge"
    DEAD_LETTER_REPLAY = "dead_letter.replay"
    PROJECTION_REBUILD = "projection.rebuild"
    LOG_FORK = "log.fork"
    RELAY_REWIND = "relay.rewind"
    TOPIC_REPLAY = "topic.replay"
    FAILURES_RETRY = "failures.retry"
    FAILURES_RETRY_END = "failures.retry_end"
    NOTICES_SET = "notices.set"
    NOTICES_TEST = "notices.test"
    NOTICES_REPLAY = "notices.replay"
    NOTICES_REMOVE = "notices.remove"
    STATUS_LINK_MAKE = "status_link.make"
    STATUS_LINK_REMOVE = "status_link.remove"
    TOKEN_REVOKE = "token.revoke"  # noqa: S105 - its name


@dataclass(frozen=True, slots=True)
class DoneByOperator:
    """One row. ``db_user`` is the login of the connection that wrote it."""

    id: int
    at: datetime
    principal: str
    db_user: str
    action: str
    object_id: str | None
    reason: str


PRINCIPAL_CHARACTERS_MAX: Final = 200

_NOTE: Final = """
INSERT INTO operator_actions (principal, action, object_id, reason) VALUES ($1, $2, $3, $4) RETURNING id
"""
_LIST: Final = """
SELECT id, at, principal, db_user, action, object_id, reason FROM operator_actions
WHERE ($1::text IS NULL OR principal = $1) AND ($2::timestamptz IS NULL OR at >= $2) ORDER BY id DESC LIMIT $3
"""


async def note_action(
    connection: Connection, action: OperatorAction, object_id: str | None, reason: str, *, principal: str | None = None
) -> int:
    """Write the row in the transaction of ``connection``; its id. ``principal``: whoever runs this process."""
    who = (principal or operator())[:PRINCIPAL_CHARACTERS_MAX]
    return int(await connection.fetchval(_NOTE, who, action.value, object_id, reason))


async def list_actions(
    connection: Connection, *, principal: str | None, since: datetime | None, limit: int
) -> list[DoneByOperator]:
    """At most ``limit``, the newest first."""
    return [DoneByOperator(**dict(row)) for row in await connection.fetch(_LIST, principal, since, limit)]

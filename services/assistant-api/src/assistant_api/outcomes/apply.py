"""Outcomes into the database: the newest of an assistant wins, repeats change nothing.

What is newer is the subscriber kit's to say: which log is followed, and the order within it.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid5

import structlog

from assistant_api import known_tools
from assistant_api.db import Connection
from assistant_api.known_tools import Told
from assistant_api.outcomes.followed import keep_followed, read_followed
from zerotouch_contracts.events import AssistantDiverged, ToolsSynced, ToolSyncFailed
from zerotouch_contracts.subscriber import Delivered, HistoryRewritten, Last, Place, follow, place_of
from zerotouch_platform.traceparent import trace_id_of

REPAIR_NAMESPACE: Final = UUID("c2c3e0d4-2a3c-4a57-8f2d-6f6b4a0f7e02")

_log: Final = structlog.get_logger()

_KEPT: Final = """
SELECT org_id, agent_id, sequence, event_id, log_id FROM outcomes
WHERE (org_id, agent_id) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))
"""
# A foreign key would refuse an outcome whose organization was deleted meanwhile; the join leaves it out.
_UPSERT: Final = """
INSERT INTO outcomes AS kept (org_id, agent_id, sequence, event_id, synced, assistant_id, revision, tools, failed_tools,
                              code, message, cause, trace_id, occurred_at, reason, log_id, tool_versions)
SELECT n.org_id, n.agent_id, n.sequence, n.event_id, n.synced, n.assistant_id, n.revision,
       string_to_array(n.tools, ','), string_to_array(n.failed_tools, ','),
       n.code, n.message, n.cause, n.trace_id, n.occurred_at, n.reason, n.log_id,
       string_to_array(n.tool_versions, ',')::integer[]
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::boolean[], $6::text[], $7::bigint[], $8::text[],
            $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[],
            $15::text[], $16::uuid[], $17::text[])
     AS n(org_id, agent_id, sequence, event_id, synced, assistant_id, revision, tools, failed_tools, code, message,
          cause, trace_id, occurred_at, reason, log_id, tool_versions)
JOIN organizations o ON o.id = n.org_id
ORDER BY n.org_id, n.agent_id
ON CONFLICT (org_id, agent_id) DO UPDATE SET
       sequence = excluded.sequence, event_id = excluded.event_id, synced = excluded.synced,
       assistant_id = excluded.assistant_id, revision = excluded.revision, tools = excluded.tools,
       failed_tools = excluded.failed_tools, code = excluded.code, message = excluded.message, cause = excluded.cause,
       trace_id = excluded.trace_id, occurred_at = excluded.occurred_at,
       reason = excluded.reason, log_id = excluded.log_id, tool_versions = excluded.tool_versions
WHERE kept.log_id <> excluded.log_id OR kept.sequence < excluded.sequence
RETURNING org_id, agent_id, sequence
"""

Newest = dict[tuple[UUID, str], Delivered]
"""By organization and agent."""


async def apply_outcomes(connection: Connection, delivered: Sequence[Delivered]) -> set[tuple[UUID, str, int]]:
    """Store the outcomes among ``delivered``, inside the caller's transaction; (org, agent, sequence) of the newest.

    One whose request was unreadable names no agent; it stays in tool-sync's history and is not shown here. What a log
    says that is followed no more is left out.
    """
    followed = await read_followed(connection, sorted({item.org_id for item in delivered}))
    admitted: list[Delivered] = []
    for item in delivered:
        follows = follow(followed.get(item.org_id), item)
        if follows is None:
            _log.warning("outcome_of_an_older_log", org_id=str(item.org_id), log_id=str(item.log_id), event_id=item.id)
            continue
        if item.org_id in followed and follows.log_id != followed[item.org_id].log_id:
            _log.warning("outcomes_of_a_new_log", org_id=str(item.org_id), log_id=str(item.log_id))
        followed[item.org_id] = follows
        admitted.append(item)
    newest = await _newest(connection, admitted)
    await keep_followed(connection, followed)
    await known_tools.keep(connection, _told(admitted))
    if not newest:
        return set()
    columns = [list(column) for column in zip(*(_row(*key, item) for key, item in newest.items()), strict=True)]
    return {(row["org_id"], row["agent_id"], row["sequence"]) for row in await connection.fetch(_UPSERT, *columns)}


async def _newest(connection: Connection, admitted: Sequence[Delivered]) -> Newest:
    """Of each assistant the outcome that is newer than what is kept of it, if there is one."""
    told = [(key, item) for item in admitted if (key := _key(item)) is not None]
    rows = await connection.fetch(_KEPT, [org_id for (org_id, _), _ in told], [agent for (_, agent), _ in told])
    kept = {(row["org_id"], row["agent_id"]): row for row in rows}
    newest: Newest = {}
    for key, item in told:
        before, row, last = newest.get(key), kept.get(key), None
        if before is not None:
            # Sequences count within one log. Which log is followed was decided before: a later one's outcome is newer.
            last = Last(before.sequence, before.id) if before.log_id == item.log_id else None
        elif row is not None and row["log_id"] in {None, item.log_id}:  # None: its log was not noted
            last = Last(row["sequence"], row["event_id"])
        if _is_newer(last, item):
            newest[key] = item
    return newest


def _is_newer(last: Last | None, item: Delivered) -> bool:
    try:
        return place_of(last, item) is not Place.REPEAT
    except HistoryRewritten as rewritten:
        _log.error("outcomes_rewritten", reason=str(rewritten), alarm=True)
        return False


async def repair(connection: Connection, delivered: Delivered, diverged: AssistantDiverged, per_hour_max: int) -> str:
    """Have a diverged assistant written again: `healed`, `outdated` (a newer save will do) or `exhausted`.

    The request id follows from the event, and a heal raises the revision, so a repeat changes nothing.
    """
    what = diverged.org_id, diverged.agent_id, diverged.revision
    by = uuid5(REPAIR_NAMESPACE, delivered.id), delivered.traceparent
    return str(await connection.fetchval("SELECT heal($1, $2, $3, $4, $5, $6)", *what, *by, per_hour_max))


def _told(admitted: Sequence[Delivered]) -> list[Told]:
    """What the newest outcome of each clinic says of its tools. Logs come in their order, which was decided before."""
    newest: dict[UUID, Told] = {}
    for item in admitted:
        message = item.message
        if not isinstance(message, ToolsSynced | ToolSyncFailed):
            continue
        before = newest.get(message.org_id)
        if before is not None and before.log_id == item.log_id and message.sequence <= before.sequence:
            continue
        # A failed one names what is linked, which may be a tool on its way out. A synced one names tools that the
        # clinic has: they are deleted a grace later at the earliest.
        ids = tuple(tool.vapi_tool_id for tool in message.tools) if isinstance(message, ToolsSynced) else ()
        newest[message.org_id] = Told(
            message.org_id, item.log_id, message.sequence, message.vapi_account, ids, item.time
        )
    return list(newest.values())


def _key(delivered: Delivered) -> tuple[UUID, str] | None:
    message = delivered.message
    if not isinstance(message, ToolsSynced | ToolSyncFailed) or message.agent_id is None:
        return None
    return message.org_id, message.agent_id


def _row(org_id: UUID, agent_id: str, delivered: Delivered) -> tuple[object, ...]:
    message = delivered.message
    assert isinstance(message, ToolsSynced | ToolSyncFailed)
    failed = isinstance(message, ToolSyncFailed)
    return (
        org_id,
        agent_id,
        message.sequence,
        delivered.id,
        not failed,
        message.assistant_id,
        message.revision,
        ",".join(tool.name for tool in message.tools),
        ",".join(tool.name for tool in message.failed_tools),
        message.code if isinstance(message, ToolSyncFailed) else None,
        message.message if isinstance(message, ToolSyncFailed) else "",
        message.cause,
        trace_id_of(delivered.traceparent),
        delivered.time,
        message.reason if isinstance(message, ToolsSynced) else None,
        delivered.log_id,
        ",".join(str(tool.definition_version) for tool in message.tools),
    )

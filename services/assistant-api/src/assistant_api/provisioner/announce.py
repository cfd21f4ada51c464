"""A trace and a log line for saves that came by plain SQL, as HTTP gives them to its own."""

from typing import Final

import structlog
from opentelemetry.trace import Span

from assistant_api.db import Database
from assistant_api.provisioner.claim import Claimed
from assistant_api.telemetry import own_trace_id, own_traceparent

_JOIN_TRACE: Final = """
UPDATE saves SET traceparent = $4
WHERE org_id = $1 AND agent_id = $2 AND state = 'open' AND revision <= $3 AND traceparent IS NULL
RETURNING request_id, cause
"""

_log: Final = structlog.get_logger()


async def announce(database: Database, agent: Claimed, span: Span) -> None:
    """Make the agent's requests without a trace part of ``span``'s, and log each of them once."""
    async with database.connection() as connection:
        rows = await connection.fetch(_JOIN_TRACE, agent.org_id, agent.agent_id, agent.revision, own_traceparent(span))
    for row in rows:
        _log.info(
            "Auto-syncing tools for assistant",
            agent_id=agent.agent_id,
            org_id=str(agent.org_id),
            request_id=str(row["request_id"]),
            trace_id=own_trace_id(span),
            cause=row["cause"],
        )

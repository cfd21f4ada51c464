"""The lease on an agent, and the row as its step sees it.

Due is what `saved_revision > greatest(provisioned_revision, refused_revision)` says, whoever wrote the row. Saves come
before bulk work; bulk work leaves some places free for them.
"""

# ruff: noqa: S608 - the statements are put together from constants of this module

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat as uuids

from assistant_api.db import Connection
from assistant_api.document import AssistantSpec
from assistant_api.prompt.block import ClinicFacts

LINKS_MAX: Final = 20
"""Traces of further saves that a step links to."""

IS_DUE: Final = """
saved_revision > greatest(provisioned_revision, refused_revision)
      AND next_due <= now() AND (lease_until IS NULL OR lease_until < now())"""
"""Of a row of `agents`."""

_CLAIM: Final = f"""
WITH due AS (
    SELECT org_id, id FROM agents
    WHERE {IS_DUE} AND (NOT bulk OR $4)
    ORDER BY bulk, next_due
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
UPDATE agents a SET lease_token = $2, lease_until = now() + make_interval(secs => $3)
FROM due
JOIN organizations o ON o.id = due.org_id
LEFT JOIN outcomes x ON x.org_id = due.org_id AND x.agent_id = due.id
WHERE a.org_id = due.org_id AND a.id = due.id
RETURNING a.org_id, a.id, a.saved_revision, a.provisioned_revision, a.name, a.system_prompt, a.first_message, a.voice,
          a.model, a.vapi_account, a.vapi_assistant_id, a.vapi_seen, a.bulk, a.failures,
          a.attempt_id, a.attempt_creates, o.time_zone, o.opening_hours, o.services,
          CASE WHEN x.assistant_id = a.vapi_assistant_id AND x.revision <= a.saved_revision
               THEN reachable_versions(x.tools, x.tool_versions, x.failed_tools) ELSE '{{}}' END AS reachable,
          extract(epoch FROM now() - a.attempt_at)::float8 AS attempt_age_seconds,
          ARRAY(SELECT s.traceparent FROM saves s
                WHERE s.org_id = a.org_id AND s.agent_id = a.id AND s.state = 'open' AND s.traceparent IS NOT NULL
                ORDER BY s.revision LIMIT {LINKS_MAX}) AS traceparents,
          EXISTS (SELECT FROM saves s WHERE s.org_id = a.org_id AND s.agent_id = a.id AND s.state = 'open'
                  AND s.traceparent IS NULL) AS untraced,
          EXISTS (SELECT FROM removals r WHERE r.vapi_account = a.vapi_account
                  AND r.released_assistant_id = a.vapi_assistant_id) AS being_released
"""


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """A write to Vapi that has not been answered. ``age_seconds`` by the database's clock."""

    attempt_id: UUID
    creates: bool
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Claimed:
    """An agent under our lease, as it was at the claim; ``revision`` is its newest."""

    org_id: UUID
    agent_id: str
    token: UUID
    revision: int
    was_seen: bool
    """Whether we have seen, at Vapi, the assistant that the row names."""
    spoken: AssistantSpec
    vapi_account: str
    assistant_id: str | None
    bulk: bool
    failures: int
    attempt: OpenAttempt | None
    traceparents: tuple[str, ...]
    untraced: bool
    """Whether there are open requests that nobody began a trace for: plain SQL made them."""
    clinic: ClinicFacts
    reachable: tuple[str, ...]
    """The tools that callers of this assistant reach, by its newest outcome, as `name:version`."""
    being_released: bool
    """Whether somebody who had this assistant before has still to be taken out of it."""


async def claim(connection: Connection, *, limit: int, lease_seconds: float, with_bulk: bool) -> Sequence[Claimed]:
    """Take at most ``limit`` due agents; nobody else gets them while the lease lasts."""
    token = uuids.uuid4()
    rows = await connection.fetch(_CLAIM, limit, token, lease_seconds, with_bulk)
    return [_claimed(row, token) for row in rows]


def _claimed(row: Any, token: UUID) -> Claimed:
    attempt = None
    if row["attempt_id"] is not None:
        attempt = OpenAttempt(row["attempt_id"], bool(row["attempt_creates"]), row["attempt_age_seconds"])
    return Claimed(
        org_id=row["org_id"],
        agent_id=row["id"],
        token=token,
        revision=row["saved_revision"],
        was_seen=row["vapi_seen"],
        spoken=AssistantSpec(row["name"], row["system_prompt"], row["first_message"], row["voice"], row["model"]),
        vapi_account=row["vapi_account"],
        assistant_id=row["vapi_assistant_id"],
        bulk=row["bulk"],
        failures=row["failures"],
        attempt=attempt,
        traceparents=tuple(row["traceparents"]),
        untraced=row["untraced"],
        clinic=ClinicFacts(row["time_zone"], row["opening_hours"], row["services"]),
        reachable=tuple(row["reachable"]),
        being_released=row["being_released"],
    )

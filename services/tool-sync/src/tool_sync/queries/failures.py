"""Assistants whose newest outcome failed: as a list, by cause, and page by page for whoever tries them again."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.queries.assistants import OUTCOME_NOW

# Of open clinics. The first and the third condition are an index's.
_NOW: Final = f"""
a.outcome = 'failed' AND {OUTCOME_NOW} = 'failed' AND NOT a.removed
   AND NOT EXISTS (SELECT FROM organizations o WHERE o.id = a.org_id AND o.closed)"""
_FAILING: Final = f"""
SELECT a.org_id, a.agent_id, a.assistant_id, a.code, a.settled_revision AS revision, e.recorded_at AS failed_at,
       a.look_at, e.meta ->> 'correlation_id' AS trace_id
  FROM assistants a
  CROSS JOIN LATERAL (
    SELECT recorded_at, meta FROM events
     WHERE org_id = a.org_id AND position <= a.position AND type = 'AssistantSyncFailed'
       AND data ->> 'agent_id' = a.agent_id
     ORDER BY position DESC LIMIT 1) e
 WHERE {_NOW}
   AND ($1::uuid IS NULL OR a.org_id = $1)
   AND ($2::text IS NULL OR a.code = $2)
   AND ($3::timestamptz IS NULL OR e.recorded_at >= $3)
"""  # noqa: S608 - made of constants
_LIST: Final = f"{_FAILING} ORDER BY e.recorded_at DESC, a.org_id, a.agent_id LIMIT $4"
_PAGE: Final = f"{_FAILING} AND (a.org_id, a.agent_id) > ($4, $5) ORDER BY a.org_id, a.agent_id LIMIT $6"
# An index finds the retries of one correlation id and clinic.
_NOT_ASKED: Final = f"""{_FAILING}
   AND NOT EXISTS (SELECT FROM events r WHERE r.type = 'RetryRequested' AND r.meta ->> 'correlation_id' = $4
                      AND r.org_id = a.org_id AND r.data ->> 'agent_id' = a.agent_id)
 ORDER BY a.org_id, a.agent_id LIMIT $5
"""
_COUNT: Final = f"""
SELECT count(*) AS assistants, count(DISTINCT org_id) AS organizations, min(failed_at) AS since
  FROM ({_FAILING} LIMIT $4) f
"""  # noqa: S608 - made of constants
# All of them are read once: by code, together, and by code and bin.
_BY_CODE: Final = f"""
WITH f AS MATERIALIZED ({_FAILING})
SELECT code, GROUPING(code) = 1 AS is_total, NULL::timestamptz AS at,
       count(*) AS assistants, count(DISTINCT org_id) AS organizations, min(failed_at) AS since
  FROM f GROUP BY GROUPING SETS ((code), ())
UNION ALL
SELECT code, false, date_bin($4::interval, failed_at, 'epoch') AS bin, count(*), NULL, NULL
  FROM f WHERE failed_at >= $5 GROUP BY code, bin
"""  # noqa: S608 - made of constants
_WHEN: Final = f"""
SELECT date_bin($4::interval, failed_at, 'epoch') AS at, count(*) AS assistants
  FROM ({_FAILING} AND e.recorded_at >= $5 LIMIT $6) f GROUP BY 1
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Failed:
    """An assistant that lacks tools. ``look_at``: when it is looked at again by itself; null: it waits for a save."""

    org_id: UUID
    agent_id: str
    assistant_id: str | None
    code: str | None
    revision: int | None
    failed_at: datetime
    look_at: datetime | None
    trace_id: str


@dataclass(frozen=True, slots=True)
class Which:
    """Which failures are meant; None means any. ``since``: that failed then or later."""

    code: str | None = None
    org_id: UUID | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class FailureCount:
    """``assistants`` of ``organizations`` fail; the one that has failed for the longest time does so ``since``."""

    assistants: int
    organizations: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """What fails with one code."""

    code: str | None
    assistants: int
    organizations: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Failing:
    """All that fails. ``groups``: by code, what concerns most clinics first; ``bins``: by code and the beginning of a
    bin, how many began to fail in it."""

    total: FailureCount
    groups: tuple[FailureGroup, ...]
    bins: Mapping[tuple[str | None, datetime], int]

    def of(self, code: str | None) -> FailureCount:
        """Those with a code; None: all of them."""
        if code is None:
            return self.total
        found = (FailureCount(it.assistants, it.organizations, it.since) for it in self.groups if it.code == code)
        return next(found, FailureCount(0, 0, None))

    def began(self, code: str | None) -> dict[datetime, int]:
        """When those with a code began to fail, by bin; None: all of them."""
        counts = Counter[datetime]()
        for (of, at), assistants in self.bins.items():
            if code in (None, of):
                counts[at] += assistants
        return dict(counts)


async def list_failures(
    connection: Connection, *, org_id: UUID | None, code: str | None, since: datetime | None, limit: int
) -> list[Failed]:
    """At most ``limit`` of them, the newest first."""
    return [Failed(**dict(row)) for row in await connection.fetch(_LIST, org_id, code, since, limit)]


async def failures_page(
    connection: Connection, which: Which, after: tuple[UUID, str] | None, limit: int
) -> list[Failed]:
    """At most ``limit`` of them by clinic and agent, above ``after`` in that order; costs what it returns."""
    org_id, agent_id = after or (UUID(int=0), "")
    rows = await connection.fetch(_PAGE, which.org_id, which.code, which.since, org_id, agent_id, limit)
    return [Failed(**dict(row)) for row in rows]


async def failures_not_asked(connection: Connection, which: Which, correlation_id: str, limit: int) -> list[Failed]:
    """At most ``limit`` of those for which no retry was asked under this id, by clinic and agent."""
    rows = await connection.fetch(_NOT_ASKED, which.org_id, which.code, which.since, correlation_id, limit)
    return [Failed(**dict(row)) for row in rows]


async def count_failures(connection: Connection, which: Which, at_most: int) -> FailureCount:
    """How many there are; reads ``at_most`` of them."""
    (row,) = await connection.fetch(_COUNT, which.org_id, which.code, which.since, at_most)
    return FailureCount(**dict(row))


async def failing_by_code(connection: Connection, *, since: datetime, bin_length: timedelta) -> Failing:
    """Counts every assistant that fails, once; the bins begin at ``since``."""
    total, groups, bins = FailureCount(0, 0, None), list[FailureGroup](), dict[tuple[str | None, datetime], int]()
    for row in await connection.fetch(_BY_CODE, None, None, None, bin_length, since):
        code, assistants, organizations = row["code"], row["assistants"], row["organizations"]
        if row["at"] is not None:
            bins[code, row["at"]] = assistants
        elif row["is_total"]:
            total = FailureCount(assistants, organizations, row["since"])
        else:
            groups.append(FailureGroup(code, assistants, organizations, row["since"]))
    groups.sort(key=lambda it: (-it.organizations, -it.assistants, it.code or ""))
    return Failing(total, tuple(groups), bins)


async def when_failed(
    connection: Connection, which: Which, *, since: datetime, bin_length: timedelta, at_most: int
) -> dict[datetime, int]:
    """How many assistants that fail now began to in each bin from ``since`` on; reads ``at_most`` of them."""
    rows = await connection.fetch(_WHEN, which.org_id, which.code, which.since, bin_length, since, at_most)
    return {row["at"]: row["assistants"] for row in rows}

"""Failures tried again in bulk, a page at a time: a job that any process goes on with, and that anybody can stop.

Its row among the operators' actions says who wants what and why; what was asked for, and what became of it, is read
from the log, under the job's correlation id. So nothing else is kept of it, and a restart forgets nothing:

    begin ──► row failures.retry ──► each turn, in any process: few are open? then the next page, each asked for once
    stop  ──► row failures.retry_end: what was not asked for by then is not asked for any more
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.admin.actions import OperatorAction, note_action
from tool_sync.admin.failures import APPENDS_AT_ONCE, retry_failures
from tool_sync.db import Connection, Pool
from tool_sync.log import EventLog, LogUnavailable
from tool_sync.queries.failures import FailureCount, Which, failures_not_asked
from tool_sync.queries.retries import clinics_being_retried
from zerotouch_platform.loops import Loop
from zerotouch_platform.postgres.pool import ACQUIRE_SECONDS

PAGE: Final = APPENDS_AT_ONCE
OPEN_MAX: Final = PAGE // 2
"""The next page is asked for once fewer clinics of the job are open, so that a stop leaves little to be tried."""
LOOK_SECONDS: Final = 1.0
"""Between two looks while a job goes on."""
IDLE_SECONDS: Final = 5.0
"""While none does: every process looks."""
ALL_ASKED: Final = "all were asked for"
REFUSED: Final = "the log refuses to store it"
ITSELF: Final = "tool-sync"
"""Who ends a job that nobody stops."""

_JOB: Final = """
SELECT r.id, r.at, r.principal AS actor, r.reason, r.object_id AS about,
       e.at AS ended_at, e.principal AS ended_by, e.reason AS ended_why
  FROM operator_actions r
  LEFT JOIN LATERAL (SELECT at, principal, reason FROM operator_actions
                      WHERE action = 'failures.retry_end' AND object_id = r.id::text ORDER BY id LIMIT 1) e ON true
 WHERE r.action = 'failures.retry'"""
_ONE: Final = f"{_JOB} AND r.id = $1"
_OPEN: Final = f"{_JOB} AND e.at IS NULL ORDER BY r.id LIMIT 20"
_NEWEST: Final = f"{_JOB} ORDER BY r.id DESC LIMIT $1"

log_of_process: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetryJob:
    """``assistants`` of ``organizations`` failed like this when it began. ``ended_…`` are None while it goes on."""

    id: int
    at: datetime
    actor: str
    reason: str
    which: Which
    assistants: int
    organizations: int
    ended_at: datetime | None
    ended_by: str | None
    ended_why: str | None

    @property
    def correlation_id(self) -> str:
        """Of everything that is asked for by it."""
        return f"failures-retry-{self.id}"


async def begin_retry(connection: Connection, which: Which, count: FailureCount, reason: str, actor: str) -> int:
    """Write down that these are to be tried again; the job's id."""
    about = {
        "code": which.code,
        "org": which.org_id,
        "since": which.since and which.since.isoformat(),
        "assistants": count.assistants,
        "clinics": count.organizations,
    }
    text = urlencode({name: value for name, value in about.items() if value is not None})
    return await note_action(connection, OperatorAction.FAILURES_RETRY, text, reason, principal=actor)


async def end_retry(connection: Connection, job_id: int, why: str, actor: str) -> None:
    """What was not asked for yet is not asked for any more. The first end counts."""
    await note_action(connection, OperatorAction.FAILURES_RETRY_END, str(job_id), why, principal=actor)


async def read_retry(connection: Connection, job_id: int) -> RetryJob | None:
    """The job, if there is one of this id."""
    row = await connection.fetchrow(_ONE, job_id)
    return None if row is None else _job(dict(row))


async def newest_retries(connection: Connection, limit: int) -> list[RetryJob]:
    """At most ``limit`` jobs, the newest first."""
    return [_job(dict(row)) for row in await connection.fetch(_NEWEST, limit)]


def _job(row: dict[str, object]) -> RetryJob:
    about = dict(parse_qsl(str(row.pop("about"))))
    which = Which(
        about.get("code"),
        UUID(about["org"]) if "org" in about else None,
        datetime.fromisoformat(about["since"]) if "since" in about else None,
    )
    counts = {"assistants": int(about["assistants"]), "organizations": int(about["clinics"])}
    return RetryJob(**row, which=which, **counts)  # type: ignore[arg-type] # the row's columns are its fields


class Retrying:
    """Goes on with the jobs that have not ended. In as many processes as there are: two that ask at once ask once."""

    def __init__(self, pool: Pool, log: EventLog) -> None:
        self._pool, self._log = pool, log
        self._goes_on = False
        self.loop: Final = Loop(
            self.run_once,
            lambda: LOOK_SECONDS if self._goes_on else IDLE_SECONDS,
            "Failures are not tried again",
            (*db.WAITED_OUT_ERRORS, LogUnavailable),
            fault="Trying failures again failed for a fault of ours",
        )

    async def run_once(self) -> bool:
        """Ask for the next page of each job that has few open; whether anything was asked for."""
        async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            jobs = [_job(dict(row)) for row in await connection.fetch(_OPEN)]
        self._goes_on = bool(jobs)
        return any([await self._go_on(job) for job in jobs])

    async def _go_on(self, job: RetryJob) -> bool:
        async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            if await clinics_being_retried(connection, job.correlation_id, OPEN_MAX) >= OPEN_MAX:
                return False
            page = await failures_not_asked(connection, job.which, job.correlation_id, PAGE)
            if not page:
                await end_retry(connection, job.id, ALL_ASKED, ITSELF)
                return False
        about = job.correlation_id
        asked = await retry_failures(self._log, page, job.reason, actor=job.actor, correlation_id=about)
        if not asked:
            async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                await end_retry(connection, job.id, REFUSED, ITSELF)
        log_of_process.info("Failures are tried again", job=job.id, assistants=asked)
        return asked > 0

"""What happens next, and when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.db import Connection

_LEASE: Final = """
SELECT l.until > clock_timestamp() AS at_work, l.next_due,
       EXISTS (SELECT FROM pending_syncs p WHERE p.org_id = $1 AND p.requested > p.settled
                  AND p.requested > coalesce(l.looked_through, 0)) AS is_waiting,
       clock_timestamp() AS now
  FROM (SELECT $1::uuid AS org_id) o LEFT JOIN leases l USING (org_id)
"""


@dataclass(frozen=True, slots=True)
class Outlook:
    """``at`` is when; null where it is now, or where nothing is planned."""

    next: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Work:
    """Where an org's work stands: ``at_work`` now, ``is_waiting`` for a worker, due again at ``next_due``."""

    at_work: bool
    is_waiting: bool
    next_due: datetime | None
    now: datetime


async def work_of(connection: Connection, org_id: UUID) -> Work:
    """Where the org's work stands now."""
    row = await connection.fetchrow(_LEASE, org_id)
    assert row is not None
    return Work(bool(row["at_work"]), row["is_waiting"], row["next_due"], row["now"])


def outlook_of(
    work: Work,
    *,
    retry_at: datetime | None,
    is_open: bool,
    is_unknown: bool,
    is_final: bool,
    delete_at: datetime | None = None,
) -> Outlook:
    """The next thing that happens to a subject that may have an unanswered attempt, a due time or an open wish.

    ``delete_at``: it is a tool that is not wanted any more and goes then.
    """
    if work.at_work:
        return Outlook("a worker is at it", None)
    if is_unknown:
        return Outlook("Vapi is asked what became of the write whose answer was lost", work.next_due)
    if retry_at is not None and retry_at > work.now:
        return Outlook("it is tried again", retry_at)
    if is_final:
        return Outlook("nothing by itself: it waits for a save, another definition or an operator", None)
    if delete_at is not None:
        return Outlook("it is deleted at Vapi, if no assistant links it by then", max(delete_at, work.now))
    if work.is_waiting or is_open:
        return Outlook("the next free worker takes it up", work.next_due)
    return Outlook("nothing: it is as wanted", None)

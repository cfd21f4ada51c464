"""Receipts of erasures, as HTTP and the command line show them; neither a name nor a number is in one."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from assistant_api.agents.schemas import ResponseBody
from assistant_api.paging import cursor_text, time_and_id
from zerotouch_platform.postgres.pool import Connection

PAGE_MAX: Final = 200

_COLUMNS: Final = """
SELECT e.id, e.org_id, e.erased_at, e.principal AS "by", e.appointments, e.answers, e.listed_at, e.again_at,
       ARRAY(SELECT c.call_id FROM erased_calls c WHERE c.erasure_id = e.id ORDER BY c.call_id) AS calls,
       ARRAY(SELECT c.state FROM erased_calls c WHERE c.erasure_id = e.id ORDER BY c.call_id) AS states,
       ARRAY(SELECT c.failure_code FROM erased_calls c WHERE c.erasure_id = e.id ORDER BY c.call_id) AS codes
FROM erasures e
"""
_ONE: Final = f"{_COLUMNS} WHERE e.id = $1 AND ($2::uuid IS NULL OR e.org_id = $2)"
_PAGE: Final = f"""{_COLUMNS}
WHERE ($1::uuid IS NULL OR e.org_id = $1) AND ($2::timestamptz IS NULL OR (e.erased_at, e.id) < ($2, $3::uuid))
ORDER BY e.erased_at DESC, e.id DESC LIMIT $4
"""


class ErasedCall(ResponseBody):
    """A phone call at Vapi. ``code``: why it is not deleted yet, where something stands in the way."""

    id: str
    state: Literal["kept", "to_delete", "deleted"]
    code: str | None


class Receipt(ResponseBody):
    """What an erasure has done. ``answers``: kept answers to tool calls that were blanked.

    ``listed_at``: since when the list outside the database has it, so that no restore brings anything back; null for
    some moments, and while Kafka is away. ``again_at``: when something of it was erased again.
    """

    id: UUID
    org_id: UUID
    erased_at: datetime
    by: str
    appointments: int
    answers: int
    calls: list[ErasedCall]
    listed_at: datetime | None
    again_at: datetime | None


class Receipts(ResponseBody):
    """A page, newest first; ``next`` is the cursor of the following one, null at the end."""

    items: list[Receipt]
    next: str | None


async def receipt_of(connection: Connection, erasure_id: UUID, org_id: UUID | None) -> Receipt | None:
    """One receipt, if it is ``org_id``'s where one is given."""
    row = await connection.fetchrow(_ONE, erasure_id, org_id)
    return None if row is None else _receipt(row)


async def page_of(connection: Connection, org_id: UUID | None, *, limit: int, after: str | None) -> Receipts:
    """A page of an organization's receipts, or of all."""
    after_time, after_id = time_and_id(after)
    rows = await connection.fetch(_PAGE, org_id, after_time, after_id, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    following = None if last is None else cursor_text(last["erased_at"].isoformat(), str(last["id"]))
    return Receipts(items=[_receipt(row) for row in rows[:limit]], next=following)


def _receipt(row: Any) -> Receipt:
    found = dict(row)
    calls = zip(*(found.pop(column) for column in ("calls", "states", "codes")), strict=True)
    return Receipt(**found, calls=[ErasedCall(id=call, state=state, code=code) for call, state, code in calls])

"""What operators asked by INSERT or UPDATE of ``system_tools``: the table ``tool_requests``.

::

    requested ─► checked ─► published ─► rolling out
        └───────────┴───────────┴──────► refused, with every problem

The triggers of the view write the first state (ADR 45), the loop in :mod:`.taking` the others. A row never changes but
for how far it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from tool_sync.db import Connection, Pool

RequestState = Literal["requested", "checked", "published", "rolling out", "refused"]
AGE_MAX: Final = timedelta(hours=1)
"""What waited longer is refused: whoever asked does not count on it any more, or the database is a restored one."""

_COLUMNS: Final = """
id, request_id, at, who, statement, tool, base_version, document, orders, state, problems, version, rollout_id,
changed_at
"""
_OPEN: Final = f"""
SELECT {_COLUMNS}, clock_timestamp() - at > $1 AS is_old FROM tool_requests WHERE ended_at IS NULL ORDER BY id
"""  # noqa: S608 - constants
_NEWEST: Final = f"SELECT {_COLUMNS}, false AS is_old FROM tool_requests ORDER BY id DESC LIMIT $1"  # noqa: S608
_COUNT: Final = "SELECT count(*) FROM tool_requests"
# In one statement with the look at the row: what the operator saw is what is changed.
_CHECKED: Final = """
UPDATE tool_requests r SET state = 'checked', changed_at = clock_timestamp()
 WHERE id = $1 AND state = 'requested'
   AND (SELECT (t.version, t.definition_hash) FROM system_tools t WHERE t.name = r.tool)
       IS NOT DISTINCT FROM CASE WHEN r.base_version IS NOT NULL THEN (r.base_version, r.base_hash) END
"""
_STATE: Final = "SELECT state FROM tool_requests WHERE id = $1"
_PUBLISHED: Final = """
UPDATE tool_requests SET state = 'published', version = $2, changed_at = clock_timestamp(),
       ended_at = CASE WHEN orders IS NULL THEN clock_timestamp() END
 WHERE id = $1 AND state IN ('checked', 'published')
"""
# Whatever was said before: the log has the rollout.
_ROLLING_OUT: Final = """
UPDATE tool_requests SET state = 'rolling out', version = $2, rollout_id = $3, problems = '{}',
       changed_at = clock_timestamp(), ended_at = clock_timestamp()
 WHERE id = $1
"""
_REFUSED: Final = """
UPDATE tool_requests SET state = 'refused', problems = $2, changed_at = clock_timestamp(), ended_at = clock_timestamp()
 WHERE id = $1 AND ended_at IS NULL
   AND (state = 'requested' OR NOT $3)
"""


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """One row of one statement.

    ``document``: the tool as it should be published, by the view's columns; None: it is published already.
    ``orders``: whether a version is ordered for every clinic, or none; None: nothing is ordered.
    ``base_version``: what the row showed; None: there was no such tool.
    """

    id: int
    request_id: UUID
    at: datetime
    who: str
    statement: str
    tool: str
    base_version: int | None
    document: Mapping[str, Any] | None
    orders: Literal["version", "none"] | None
    state: RequestState
    problems: tuple[str, ...]
    version: int | None
    rollout_id: str | None
    changed_at: datetime
    is_old: bool = False

    @property
    def reason(self) -> str:
        """Of what follows from it, for the log."""
        return f"{self.statement} of system_tools by {self.who}, request {self.id}"

    @property
    def rollout(self) -> str:
        """The id of the rollout that it is to start. No other request has it, and it is the same at every try."""
        return f"sql-{self.id}-{str(self.request_id)[:4]}"


async def open_requests(pool: Pool) -> Sequence[ToolRequest]:
    """Those about which there is more to do, oldest first."""
    return tuple(map(_request, await pool.fetch(_OPEN, AGE_MAX)))


async def newest_requests(connection: Connection, limit: int) -> tuple[Sequence[ToolRequest], int]:
    """The newest ones, newest first; and how many there are."""
    rows = await connection.fetch(_NEWEST, limit)
    return tuple(map(_request, rows)), await connection.fetchval(_COUNT)


async def mark_checked(pool: Pool, request: ToolRequest) -> bool:
    """Nothing is wrong with it. False: the tool's row is another one than the statement saw, or it was refused."""
    if await pool.execute(_CHECKED, request.id) == "UPDATE 1":
        return True
    state: str = await pool.fetchval(_STATE, request.id)
    return state in ("checked", "published")


async def mark_published(pool: Pool, request: ToolRequest, version: int) -> None:
    """Its version is in the log. Where nothing is ordered, that is all."""
    await pool.execute(_PUBLISHED, request.id, version)


async def mark_rolling_out(pool: Pool, request: ToolRequest, version: int | None, rollout_id: str) -> None:
    """Its rollout is in the log, and goes on by itself."""
    await pool.execute(_ROLLING_OUT, request.id, version, rollout_id)


async def refuse(pool: Pool, request: ToolRequest, problems: Sequence[str], *, unless_checked: bool = False) -> bool:
    """Nothing more follows from it; whether this call made it so. ``unless_checked``: another process knew better."""
    return await pool.execute(_REFUSED, request.id, list(problems), unless_checked) == "UPDATE 1"


def _request(row: Any) -> ToolRequest:
    values = dict(row)
    return ToolRequest(**values | {"problems": tuple(values["problems"])})

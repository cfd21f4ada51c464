"""Accepted saves, page by page, in the order of their acceptance."""

from datetime import datetime
from typing import Any, Final

from assistant_api.db import Database
from assistant_api.paging import cursor_text, time_and_id
from assistant_api.shown_rows import as_json

PAGE_MAX: Final = 1000

_PAGE: Final = """
SELECT request_id, org_id, agent_id, state, cause, created_at, closed_at FROM saves
WHERE ($1::timestamptz IS NULL OR created_at >= $1)
AND ($2::timestamptz IS NULL OR (created_at, request_id) > ($2, $3::uuid))
ORDER BY created_at, request_id LIMIT $4
"""


async def page(database: Database, *, since: datetime | None, limit: int, after: str | None) -> dict[str, Any]:
    """At most ``limit`` saves accepted at ``since`` or later; ``nextAfter`` is None on the last page."""
    after_time, after_id = time_and_id(after)
    async with database.connection() as connection:
        rows = await connection.fetch(_PAGE, since, after_time, after_id, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    shown = [
        as_json(row)
        | {"createdAt": row["created_at"].isoformat(), "closedAt": row["closed_at"] and row["closed_at"].isoformat()}
        for row in rows[:limit]
    ]
    following = None if last is None else cursor_text(last["created_at"].isoformat(), str(last["request_id"]))
    return {"saves": shown, "nextAfter": following}

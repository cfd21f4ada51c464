"""Rows of the access log, newest first, page by page."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from assistant_api.shown_rows import as_json
from zerotouch_platform.postgres.pool import Connection

PAGE_MAX: Final = 1000
POSITION_MAX: Final = 2**63 - 1

# A filter that is not used is not in the statement: otherwise none of the indexes could be used for it.
_FILTERS: Final = {"org_id": "org_id = ${}", "principal": "principal = ${}", "since": "at >= ${}"}
_PAGE: Final = """
SELECT id, at, org_id, principal, token_id, role, scopes, action, object_type, object_id, result, code, trace_id,
       reason, db_user
FROM access_log WHERE id < $1{} ORDER BY id DESC LIMIT $2
"""


async def page(
    connection: Connection,
    *,
    org_id: UUID | None = None,
    principal: str | None = None,
    since: datetime | None = None,
    before: int = POSITION_MAX,
    limit: int = PAGE_MAX,
) -> list[dict[str, Any]]:
    """At most ``limit`` rows below the id ``before``, as HTTP and JSON lines show them."""
    asked: Mapping[str, Any] = {"org_id": org_id, "principal": principal, "since": since}
    used = {name: value for name, value in asked.items() if value is not None}
    filters = "".join(f" AND {_FILTERS[name].format(place)}" for place, name in enumerate(used, start=3))
    rows = await connection.fetch(_PAGE.format(filters), before, limit, *used.values())
    return [as_json(row) for row in rows]

"""``tool-sync failures list``: the assistants that lack tools, below the key that everything waits for."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tool_sync.cli.account import account_lines
from tool_sync.cli.output import entry, show, utc
from tool_sync.db import Connection
from tool_sync.queries.failures import Failed, list_failures
from tool_sync.queries.waiting import Waiting, waiting
from tool_sync.vapi.rate_limit import PausedKey, paused_keys

NOT_LOOKED_AT: Final = "who was never synced or lacks what is new: `tool-sync coverage`"


async def show_failures(
    connection: Connection, org: UUID | None, code: str | None, since: datetime | None, limit: int, *, as_json: bool
) -> int:
    """Print them, the newest first; returns the exit status."""
    found = await list_failures(connection, org_id=org, code=code, since=since, limit=limit)
    keys, behind = await paused_keys(connection), await waiting(connection)
    is_all = len(found) < limit
    rows = [*(_account_row(key, behind) for key in keys), *found]
    lines = (*account_lines(keys, behind), *_lines(found, None if is_all else limit))
    show("failures list", rows, lines, as_json=as_json, complete=is_all, not_looked_at=(NOT_LOOKED_AT,))
    return 0


def _lines(found: Sequence[Failed], cut_at: int | None) -> Iterator[str]:
    if not found:
        yield f"no assistant's newest outcome is a failure; not looked at: {NOT_LOOKED_AT}"
    for one in found:
        fields = (
            ("organization", one.org_id),
            ("code", one.code),
            ("failed at", utc(one.failed_at)),
            ("next look by itself", utc(one.look_at)),
            ("trace", one.trace_id),
        )
        yield from entry(f"agent {one.agent_id}", fields)
    if cut_at is not None:
        yield f"the newest {cut_at:,} are shown; --limit shows more"


def _account_row(key: PausedKey, behind: Waiting) -> dict[str, Any]:
    """The account among the failures: the columns of an assistant that it has, and what only it has."""
    return {
        "org_id": None,
        "agent_id": None,
        "assistant_id": None,
        "code": key.code,
        "revision": None,
        "failed_at": key.since,
        "look_at": key.until,
        "trace_id": None,
        "account": asdict(key) | {"waiting": behind},
    }

"""``tool-sync failures list``: the assistants that lack tools, or saves that wait, below the key that all wait for."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from tool_sync.cli.account import account_lines
from tool_sync.cli.output import called, entry, show, utc
from tool_sync.db import Connection
from tool_sync.queries.display_names import Names, names_of
from tool_sync.queries.failures import Failed, list_failures
from tool_sync.queries.waiting import Waiting, Waits, waiting, waits_of
from tool_sync.vapi.rate_limit import PausedKey, paused_keys
from zerotouch_platform.times import lasting

NOT_LOOKED_AT: Final = "who was never synced or lacks what is new: `tool-sync coverage`"


async def show_failures(
    connection: Connection, org: UUID | None, code: str | None, since: datetime | None, limit: int, *, as_json: bool
) -> None:
    """Print the assistants, the newest failure first."""
    found = await list_failures(connection, org_id=org, code=code, since=since, limit=limit)
    keys, behind = await paused_keys(connection), await waiting(connection)
    names = await names_of(connection, [(one.org_id, None) for one in found])
    is_all = len(found) < limit
    rows = [*(_account_row(key, behind) for key in keys), *found]
    lines = (*account_lines(keys, behind), *_lines(found, names, None if is_all else limit))
    show("failures list", rows, lines, as_json=as_json, complete=is_all, not_looked_at=(NOT_LOOKED_AT,))


def _lines(found: Sequence[Failed], names: Names, cut_at: int | None) -> Iterator[str]:
    if not found:
        yield f"no assistant's newest outcome is a failure; not looked at: {NOT_LOOKED_AT}"
    for one in found:
        fields = (
            ("organization", called(one.org_id, names[one.org_id, None])),
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


async def show_waiting(connection: Connection, org_id: UUID | None, limit: int, *, as_json: bool) -> None:
    """Print saves without an outcome, the oldest first, and what each waits for."""
    found = await waits_of(connection, limit + 1, org_id)
    shown, is_all = found[:limit], len(found) <= limit
    names = await names_of(connection, {(one.org_id, agent) for one in shown for agent in (None, one.agent_id)})
    lines = (*account_lines(await paused_keys(connection), await waiting(connection)), *_waiting_lines(shown, names))
    more = () if is_all else (f"the oldest {limit:,} are shown; --limit shows more",)
    show("failures list", shown, (*lines, *more), as_json=as_json, complete=is_all)


def _waiting_lines(found: Sequence[Waits], names: Names) -> Iterator[str]:
    if not found:
        yield "no save waits: each has its outcome"
    for one in found:
        who = called(one.org_id, names[one.org_id, None])
        if one.agent_id is not None:
            who = f"{called(one.agent_id, names[one.org_id, one.agent_id])} of {who}"
        age = lasting(datetime.now(UTC) - one.since)
        yield from entry(who, (("since", f"{utc(one.since)}, for {age}"), ("waits for", one.waits_for)))

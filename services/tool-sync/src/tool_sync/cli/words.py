"""``tool-sync words``: what Vapi said where it refused something."""

from uuid import UUID

from tool_sync.cli.output import print_json
from tool_sync.db import Connection
from tool_sync.vapi.words import Words, read_words


async def show_words(
    connection: Connection,
    org_id: UUID | None,
    agent_id: str | None,
    trace_id: str | None,
    limit: int,
    *,
    as_json: bool,
) -> int:
    """Print it, the newest first; returns the exit status."""
    found = await read_words(connection, org_id=org_id, agent_id=agent_id, trace_id=trace_id, limit=limit)
    if as_json:
        print_json("words", found, complete=len(found) < limit)
        return 0
    for one in found:
        _print(one)
    if not found:
        print("nothing that Vapi said in the last 30 days matches")
    elif len(found) == limit:
        print(f"the newest {limit} are shown; --limit shows more")
    return 0


def _print(one: Words) -> None:
    times = "" if one.times == 1 else f", {one.times} times since {one.first_at:%Y-%m-%d %H:%M:%S}"
    print(f"{one.at:%Y-%m-%d %H:%M:%S} UTC  {one.code}  {one.route} answered {one.status or 'nothing'}{times}")
    print(f"  clinic {one.org_id}" + (f", agent {one.agent_id}" if one.agent_id else ""))
    if one.trace_id:
        print(f"  trace {one.trace_id}")
    print(f"  {one.words}")

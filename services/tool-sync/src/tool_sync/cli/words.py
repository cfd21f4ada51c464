"""``tool-sync words``: what Vapi said where it refused something."""

from dataclasses import asdict
from uuid import UUID

from tool_sync import db
from tool_sync.cli.connected import connected
from tool_sync.cli.options import EXIT_USAGE
from tool_sync.cli.output import error as say
from tool_sync.cli.output import print_json
from tool_sync.vapi.words import Words, read_words


async def show_words(
    database_url: str, *, org_id: UUID | None, agent_id: str | None, trace_id: str | None, limit: int, as_json: bool
) -> int:
    """Print it, the newest first; returns the exit status."""
    if org_id is None and agent_id is None and trace_id is None:
        say("name a clinic, an agent or a trace: --org, --agent or --trace")
        return EXIT_USAGE

    async def work(connection: db.Connection) -> int:
        found = await read_words(connection, org_id=org_id, agent_id=agent_id, trace_id=trace_id, limit=limit)
        if as_json:
            print_json("words", [asdict(one) for one in found], complete=len(found) < limit)
            return 0
        for one in found:
            _print(one)
        if not found:
            print("Vapi said nothing about it in the last 30 days that was kept")
        elif len(found) == limit:
            print(f"the newest {limit} are shown; --limit shows more")
        return 0

    return await connected(database_url, work)


def _print(one: Words) -> None:
    times = "" if one.times == 1 else f", {one.times} times since {one.first_at:%Y-%m-%d %H:%M:%S}"
    print(f"{one.at:%Y-%m-%d %H:%M:%S} UTC  {one.code}  {one.route} answered {one.status or 'nothing'}{times}")
    print(f"  clinic {one.org_id}" + (f", agent {one.agent_id}" if one.agent_id else ""))
    if one.trace_id:
        print(f"  trace {one.trace_id}")
    print(f"  {one.words}")

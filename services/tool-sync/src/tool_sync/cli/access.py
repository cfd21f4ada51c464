"""``tool-sync access list``: what operators did of which the event log does not say who and why."""

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.options import DatabaseUrl, Json, Limit, Since, Who

app = typer.Typer(name="access", help="Show what operators did beside the event log.", no_args_is_help=True)


@app.command("list")
def list_access(
    database_url: DatabaseUrl, who: Who = None, since: Since = None, limit: Limit = 1000, as_json: Json = False
) -> None:
    """List what operators did of which the event log does not say who and why, newest first."""
    from tool_sync.admin.actions import list_actions
    from tool_sync.cli.output import entry, show, utc
    from tool_sync.db import Connection

    async def work(connection: Connection) -> None:
        found = await list_actions(connection, principal=who, since=since, limit=limit)
        lines = (
            line
            for one in found
            for line in entry(
                f"{utc(one.at)} {one.action} {one.object_id or ''}".rstrip(),
                (("who", f"{one.principal}, as {one.db_user} of the database"), ("why", one.reason)),
            )
        )
        show("access list", found, lines, as_json=as_json, complete=len(found) < limit, not_looked_at=(ELSEWHERE,))

    end_connected(database_url, work)


ELSEWHERE = "what the event log says with who and why: `tool-sync history`, `why`, `rollout status`"

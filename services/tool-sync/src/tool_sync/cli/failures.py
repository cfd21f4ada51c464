"""``tool-sync failures list | show | retry``: assistants that lack tools, or whose callers reach none."""

from typing import Annotated

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.exits import fail
from tool_sync.cli.options import Code, DatabaseUrl, DryRun, Json, Limit, Org, OrgArgument, ReasonNeeded, Since
from tool_sync.cli.output import print_line

app = typer.Typer(name="failures", help="Show which assistants lack tools, and retry them.", no_args_is_help=True)


@app.command("list")
def list_failures(
    database_url: DatabaseUrl,
    org: Org = None,
    code: Code = None,
    since: Since = None,
    limit: Limit = 1000,
    is_waiting: Annotated[
        bool, typer.Option("--waiting", help="List saves without an outcome instead, the oldest first.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List assistants that lack tools or whose callers reach none, the newest first, and when each is retried.

    A paused Vapi key comes first, because everything waits for it; in JSON it is a row without an organization.

    --waiting lists saves that have no outcome yet, and what each waits for.
    """
    from tool_sync.cli.failed import show_failures, show_waiting

    if is_waiting:
        if code is not None or since is not None:
            fail("--waiting lists all saves that wait; --code and --since choose failures")
        end_connected(database_url, show_waiting, org, limit, as_json=as_json)
    end_connected(database_url, show_failures, org, code, since, limit, as_json=as_json)


@app.command("show")
def show_failure(
    org: OrgArgument,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's id.")],
    database_url: DatabaseUrl,
    as_json: Json = False,
) -> None:
    """Show what one assistant lacks and why, what happened, and what happens next."""
    from tool_sync.cli.explain import show_explanation

    end_connected(database_url, show_explanation, agent, org_id=org, as_json=as_json)


@app.command("retry")
def retry_failures(
    database_url: DatabaseUrl,
    reason: ReasonNeeded,
    org: Org = None,
    code: Code = None,
    since: Since = None,
    limit: Limit = 100_000,
    dry_run: DryRun = False,
) -> None:
    """Retry failed assistants now, whatever they wait for. A success is published with cause `recovered`."""
    from tool_sync.admin.failures import retry_failures as retry
    from tool_sync.cli.connected import log_of
    from tool_sync.db import Connection
    from tool_sync.queries.failures import list_failures as find

    async def work(connection: Connection) -> None:
        found = await find(connection, org_id=org, code=code, since=since, limit=limit)
        orgs = len({one.org_id for one in found})
        if dry_run:
            print_line(f"would retry {len(found)} assistant(s) of {orgs} organization(s)")
            return
        async with log_of(database_url) as log:
            count = await retry(log, found, reason)
        print_line(f"retrying {count} assistant(s) of {orgs} organization(s)")

    end_connected(database_url, work)

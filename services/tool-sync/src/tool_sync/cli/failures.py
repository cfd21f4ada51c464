"""``tool-sync failures list | show | retry``: assistants that lack tools, or whose callers reach none."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

import typer

from tool_sync.cli.options import Code, DatabaseUrl, DryRun, Json, Limit, Org, OrgArgument, Since

if TYPE_CHECKING:
    from tool_sync.db import Connection
    from tool_sync.queries.failures import Failed

app = typer.Typer(name="failures", help="Show which assistants lack tools, and try them again.", no_args_is_help=True)

NOT_LOOKED_AT: Final = "who was never synced or lacks what is new: `tool-sync coverage`"


@app.command("list")
def list_failures(
    database_url: DatabaseUrl,
    org: Org = None,
    code: Code = None,
    since: Since = None,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """List assistants that lack tools or whose callers reach none, the newest first, and when each is retried.

    A paused Vapi key comes first, as everything waits for it; in JSON it is a row without an organization.
    """
    raise typer.Exit(asyncio.run(_list(database_url, org, code, since, limit, as_json=as_json)))


async def _list(
    database_url: str, org: UUID | None, code: str | None, since: datetime | None, limit: int, *, as_json: bool
) -> int:
    from tool_sync.cli.account import account_lines
    from tool_sync.cli.connected import connected
    from tool_sync.cli.output import print_json, print_lines
    from tool_sync.queries.failures import list_failures as find
    from tool_sync.queries.waiting import waiting
    from tool_sync.vapi.rate_limit import paused_keys

    async def work(connection: "Connection") -> int:
        found = await find(connection, org_id=org, code=code, since=since, limit=limit)
        keys, behind = await paused_keys(connection), await waiting(connection)
        is_all = len(found) < limit
        if as_json:
            rows = [_account_row(key, behind) for key in keys] + [asdict(one) for one in found]
            print_json("failures list", rows, complete=is_all, not_looked_at=(NOT_LOOKED_AT,))
            return 0
        print_lines((*account_lines(keys, behind), *_lines(found)))
        if not is_all:
            print(f"the newest {limit:,} are shown; --limit shows more")
        return 0

    return await connected(database_url, work)


def _lines(found: "Sequence[Failed]") -> Iterator[str]:
    from tool_sync.cli.output import entry, utc

    if not found:
        yield f"no newest outcome is a failure; not looked at: {NOT_LOOKED_AT}"
    for one in found:
        yield from entry(
            f"agent {one.agent_id}",
            (
                ("organization", one.org_id),
                ("code", one.code),
                ("failed at", utc(one.failed_at)),
                ("next look by itself", utc(one.look_at)),
                ("trace", one.trace_id),
            ),
        )


def _account_row(key: Any, behind: Any) -> dict[str, Any]:
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
        "account": asdict(key) | {"waiting": asdict(behind)},
    }


@app.command("show")
def show_failure(
    org: OrgArgument,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's id.")],
    database_url: DatabaseUrl,
    as_json: Json = False,
) -> None:
    """Show what one assistant lacks and why, what happened, and what happens next."""
    from tool_sync.cli.explain import show_explanation

    raise typer.Exit(
        asyncio.run(show_explanation(database_url, agent, at=None, as_json=as_json, jaeger_url=None, org_id=org))
    )


@app.command("retry")
def retry_failures(
    database_url: DatabaseUrl,
    org: Org = None,
    code: Code = None,
    since: Since = None,
    limit: Limit = 100_000,
    dry_run: DryRun = False,
) -> None:
    """Try them again now, whatever they wait for. A success is published with cause `recovered`."""
    raise typer.Exit(asyncio.run(_retry(database_url, org, code, since, limit, dry_run=dry_run)))


async def _retry(
    database_url: str, org: UUID | None, code: str | None, since: datetime | None, limit: int, *, dry_run: bool
) -> int:
    from tool_sync.admin.failures import retry_failures as retry
    from tool_sync.cli.connected import connected, log_of
    from tool_sync.queries.failures import list_failures as find
    from tool_sync.telemetry import SERVICE_VERSION

    async def work(connection: "Connection") -> int:
        found = await find(connection, org_id=org, code=code, since=since, limit=limit)
        orgs = len({one.org_id for one in found})
        if dry_run:
            print(f"would try {len(found)} assistant(s) of {orgs} organization(s) again")
            return 0
        async with log_of(database_url) as log:
            count = await retry(log, found, SERVICE_VERSION)
        print(f"{count} assistant(s) of {orgs} organization(s) are tried again")
        return 0

    return await connected(database_url, work)

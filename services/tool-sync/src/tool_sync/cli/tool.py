"""``tool-sync why ORG TOOL`` and ``tool-sync tool disable|enable ORG TOOL``."""

import asyncio
from typing import Any
from uuid import UUID

import typer

from tool_sync.cli.options import At, DatabaseUrl, JaegerUrl, Json, OrgArgument, ToolArgument

app = typer.Typer(name="tool", help="Switch one tool off for one organization, or on again.", no_args_is_help=True)


def why(
    org_id: OrgArgument,
    tool: ToolArgument,
    database_url: DatabaseUrl,
    at: At = None,
    jaeger_url: JaegerUrl = None,
    as_json: Json = False,
) -> None:
    """Explain why an organization has a tool or lacks it, what led there, and what happens next."""
    from tool_sync.cli.explain import show_why

    answer = show_why(database_url, org_id, tool, at=at, as_json=as_json, jaeger_url=jaeger_url)
    raise typer.Exit(asyncio.run(answer))


@app.command()
def disable(org: OrgArgument, tool: ToolArgument, database_url: DatabaseUrl) -> None:
    """Unlink the tool from every assistant at once, and delete it at Vapi after a day (TOOL_GRACE_SECONDS)."""
    raise typer.Exit(_switch(database_url, org, tool, enabled=False))


@app.command()
def enable(org: OrgArgument, tool: ToolArgument, database_url: DatabaseUrl) -> None:
    """Give every assistant the tool again, if the organization's tier has it. Within that day it keeps its id."""
    raise typer.Exit(_switch(database_url, org, tool, enabled=True))


def _switch(database_url: str, org: UUID, tool: str, *, enabled: bool) -> int:
    from tool_sync.admin.tool_settings import problem_with, switch_tool
    from tool_sync.cli.connected import NotFound, connected, log_of
    from tool_sync.telemetry import SERVICE_VERSION

    async def work(connection: Any) -> int:
        if problem := await problem_with(connection, org, tool):
            raise NotFound(problem)
        async with log_of(database_url) as log:
            await switch_tool(log, org, tool, SERVICE_VERSION, enabled=enabled)
        print(f"{tool} is switched {'on' if enabled else 'off'} for {org}; the service does the rest")
        return 0

    return asyncio.run(connected(database_url, work))

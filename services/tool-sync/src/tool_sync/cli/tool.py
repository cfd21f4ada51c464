"""``tool-sync tool disable|enable ORG TOOL``."""

import asyncio
import sys
from typing import Annotated, Any
from uuid import UUID

import typer

from tool_sync.cli.options import EXIT_FOUND, DatabaseUrl

app = typer.Typer(help="Switch one tool off for one organization, or on again.", no_args_is_help=True)

Org = Annotated[UUID, typer.Argument(metavar="ORG", help="The organization's id.")]
Tool = Annotated[str, typer.Argument(metavar="TOOL", help="The tool's name.")]


@app.command()
def disable(org: Org, tool: Tool, database_url: DatabaseUrl) -> None:
    """Unlink the tool from every assistant; after the grace it is deleted at Vapi."""
    raise typer.Exit(_switch(database_url, org, tool, enabled=False))


@app.command()
def enable(org: Org, tool: Tool, database_url: DatabaseUrl) -> None:
    """Give every assistant the tool again, if the organization's tier has it; within the grace it keeps its id."""
    raise typer.Exit(_switch(database_url, org, tool, enabled=True))


def _switch(database_url: str, org: UUID, tool: str, *, enabled: bool) -> int:
    from tool_sync.admin.tool_settings import problem_with, switch_tool
    from tool_sync.cli.connected import connected
    from tool_sync.cli.operations import log_of
    from tool_sync.telemetry import SERVICE_VERSION

    async def work(connection: Any) -> int:
        if problem := await problem_with(connection, org, tool):
            print(f"tool-sync: {problem}", file=sys.stderr)
            return EXIT_FOUND
        async with log_of(database_url) as log:
            await switch_tool(log, org, tool, SERVICE_VERSION, enabled=enabled)
        print(f"{tool} is switched {'on' if enabled else 'off'} for {org}; the service does the rest")
        return 0

    return asyncio.run(connected(database_url, work))

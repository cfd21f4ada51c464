"""``tool-sync why ORG TOOL`` and ``tool-sync tool disable|enable|reset ORG TOOL``."""

from typing import TYPE_CHECKING, NoReturn
from uuid import UUID

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.options import At, DatabaseUrl, JaegerUrl, Json, OrgArgument, ReasonNeeded, ToolArgument
from tool_sync.cli.output import print_line

if TYPE_CHECKING:
    from tool_sync.db import Connection

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

    end_connected(database_url, show_why, org_id, tool, at, jaeger_url, as_json=as_json)


@app.command()
def disable(org: OrgArgument, tool: ToolArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """Unlink the tool from every assistant at once, and delete it at Vapi after a day (TOOL_GRACE_SECONDS)."""
    _switch(database_url, org, tool, enabled=False, reason=reason)


@app.command()
def enable(org: OrgArgument, tool: ToolArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """Link the tool again, if the organization's tier has it. Within a day of `disable` it keeps its id."""
    _switch(database_url, org, tool, enabled=True, reason=reason)


@app.command()
def reset(org: OrgArgument, tool: ToolArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """Remove the setting, whoever made it: the tool is as the blueprint says."""
    _switch(database_url, org, tool, enabled=None, reason=reason)


def _switch(database_url: str, org: UUID, tool: str, *, enabled: bool | None, reason: str) -> NoReturn:
    from tool_sync.admin.tool_settings import switch_tool
    from tool_sync.cli.connected import log_of

    async def work(connection: "Connection") -> None:
        async with log_of(database_url) as log:
            print_line(await switch_tool(connection, log, org, tool, enabled=enabled, reason=reason))

    end_connected(database_url, work)

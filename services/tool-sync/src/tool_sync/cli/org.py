"""``tool-sync tools``, ``history`` and ``coverage``: what an organization has, its past, and who can book."""

from typing import Annotated
from uuid import UUID

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.options import At, DatabaseUrl, Json, Limit, OrgArgument


def tools(org_id: OrgArgument, database_url: DatabaseUrl, at: At = None, as_json: Json = False) -> None:
    """Show the tools that an organization has in Vapi, or had."""
    from tool_sync.cli.org_show import show_tools

    end_connected(database_url, lambda connection: show_tools(connection, org_id, at, as_json=as_json))


def history(
    org_id: OrgArgument,
    database_url: DatabaseUrl,
    after: Annotated[int, typer.Option(help="Show only events above this position.", min=0)] = 0,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Show what happened to an organization, oldest first."""
    from tool_sync.cli.org_show import show_history

    end_connected(database_url, lambda connection: show_history(connection, org_id, after, limit, as_json=as_json))


def coverage(
    database_url: DatabaseUrl,
    org_id: Annotated[UUID | None, typer.Argument(metavar="ORG", help="Limit to this organization.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Show how many assistants can book, of those that should, and why the others cannot.

    Exit status 1: an assistant that should book cannot.
    """
    from tool_sync.cli.coverage import show_coverage

    end_connected(database_url, lambda connection: show_coverage(connection, org_id, limit, as_json=as_json))

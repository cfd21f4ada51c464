"""``tool-sync tail``: what happens, as it happens, a line each."""

from typing import TYPE_CHECKING, Annotated

import typer

from tool_sync.cli.ending import end_with
from tool_sync.cli.exits import fail
from tool_sync.cli.options import DatabaseUrl, Org, Since

if TYPE_CHECKING:
    from tool_sync.queries.following import TailFilter


def tail(
    database_url: DatabaseUrl,
    org: Org = None,
    type_: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Limit to this type, such as ToolSyncFailed; with --all an event."),
    ] = None,
    tool: Annotated[str | None, typer.Option(metavar="TOOL", help="Limit to what names this tool.")] = None,
    since: Since = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every event of the log.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON each.")] = False,
) -> None:
    """Follow outcomes, and changes of tools and rollouts, until Ctrl-C; the newest ten come first.

    Waits while the database is away, and then goes on where it stopped. Exit
    status 3: the database was set back meanwhile.
    """
    from tool_sync.cli.follow import follow

    end_with(follow(database_url, _wanted(type_, tool, org, is_all=show_all), since, as_json=as_json))


def _wanted(type_name: "str | None", tool: str | None, org: "Org", *, is_all: bool) -> "TailFilter":
    from tool_sync.log.codec import SCHEMAS
    from tool_sync.outcomes.published import STORED_BY_MESSAGE
    from tool_sync.queries.following import TailFilter

    known = {name: (name,) for name in SCHEMAS} if is_all else STORED_BY_MESSAGE
    if type_name is not None and type_name not in known:
        fail(f"there is no type {type_name}; the types are {', '.join(sorted(known))}")
    if type_name is not None:
        return TailFilter(known[type_name], is_all, org, tool)
    return TailFilter(None if is_all else [one for types in known.values() for one in types], is_all, org, tool)

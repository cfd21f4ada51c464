"""``tool-sync org find | pin | unpin | pins | wanted``: one clinic: which, at which version, and what it is to have."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.exits import EXIT_FOUND, fail
from tool_sync.cli.options import DatabaseUrl, Json, Limit, OrgArgument, ReasonNeeded, ToolArgument, parse_time
from tool_sync.cli.output import called, entry, show
from tool_sync.cli.rollout import version_of

if TYPE_CHECKING:
    from tool_sync.db import Connection
    from tool_sync.queries.org_wanted import OrgWanted, ToolWanted

app = typer.Typer(
    name="org",
    help="Find one organization, keep it at a version of a tool, and see what it is to have.",
    no_args_is_help=True,
)

PinnedVersion = Annotated[
    str, typer.Argument(metavar="TOOL@V", help="The tool, and the version at which the organization stays.")
]
PinUntil = Annotated[
    datetime,
    typer.Option(
        "--until", parser=parse_time, metavar="TIME", help="End the pin then: 2026-12-24 (0:00 UTC), 2026-12-24 18:00."
    ),
]


@app.command()
def find(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A part of its name, in capitals or not.")],
    database_url: DatabaseUrl,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Find organizations by their name; those whose name begins with the text come first.

    Exit status 1: there is none.
    """
    from tool_sync.queries.display_names import find as find_orgs

    async def work(connection: "Connection") -> int:
        found = await find_orgs(connection, text, limit + 1)
        more = len(found) > limit
        lines = (
            *(called(one.org_id, one.name) for one in found[:limit]),
            f"{len(found[:limit])} organization(s){', and more: --limit' if more else ''}",
        )
        show("org find", found[:limit], lines, as_json=as_json, complete=not more)
        return 0 if found else EXIT_FOUND

    end_connected(database_url, work)


@app.command()
def pin(
    org_id: OrgArgument, version: PinnedVersion, database_url: DatabaseUrl, until: PinUntil, reason: ReasonNeeded
) -> None:
    """Keep an organization at a version until a time, 90 days away at most, whatever is ordered. Replaces its pin.

    Exit status 3: it is refused, and nothing was written.
    """
    from tool_sync.cli.pins_change import change_pin
    from tool_sync.domain.tool_pin import PinWish

    name, number = version_of(version)
    if number is None:
        fail(f"write a version: {name}@2; `tool-sync tool disable` takes a tool from one organization")
    wish = PinWish(number, until, reason)
    end_connected(database_url, change_pin, database_url, org_id, name, wish)


@app.command()
def unpin(org_id: OrgArgument, tool: ToolArgument, database_url: DatabaseUrl, reason: ReasonNeeded) -> None:
    """End a pin now: the organization gets what is ordered."""
    from tool_sync.cli.pins_change import change_pin
    from tool_sync.domain.tool_pin import PinWish

    wish = PinWish(None, None, reason)
    end_connected(database_url, change_pin, database_url, org_id, tool, wish)


@app.command()
def pins(
    database_url: DatabaseUrl,
    org_id: Annotated[UUID | None, typer.Argument(metavar="ORG", help="Limit to this organization.")] = None,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """List the pins that count now, those that end first before the others."""
    from tool_sync.queries.display_names import names_of
    from tool_sync.queries.tool_pins import pins_of, said

    async def work(connection: "Connection") -> None:
        found = await pins_of(connection, org_id, limit + 1)
        shown, more = found[:limit], len(found) > limit
        names = await names_of(connection, [(pin.org_id, None) for pin in shown])
        lines = (
            *(f"{called(pin.org_id, names[pin.org_id, None])} {pin.tool_name}: {said(pin)}" for pin in shown),
            f"{len(shown)} pin(s){', and more: --limit' if more else ''}",
        )
        show("org pins", shown, lines, as_json=as_json, complete=not more)

    end_connected(database_url, work)


@app.command()
def wanted(
    org_id: OrgArgument,
    database_url: DatabaseUrl,
    position: Annotated[
        int | None,
        typer.Option("--at", metavar="POSITION", min=0, help="Decide it as of this position of the log."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what an organization is to have of each tool, by which rule, and which rules that one beats."""
    from tool_sync.cli.exits import NotFound
    from tool_sync.queries.as_of import BeyondHead, fleet_of, state_as_of, state_at
    from tool_sync.queries.org_wanted import wanted_at

    async def work(connection: "Connection") -> None:
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                fleet = await fleet_of(connection, through=position)
                moment = await (
                    state_as_of(connection, org_id, fleet)
                    if position is None
                    else state_at(connection, org_id, fleet, position)
                )
                found = await wanted_at(connection, moment)
        except BeyondHead as error:
            raise NotFound(error) from error
        show("org wanted", found, _wanted_lines(found), as_json=as_json)

    end_connected(database_url, work)


def _wanted_lines(found: "OrgWanted") -> Iterator[str]:
    for tool in found.tools:
        fields = (
            ("why", tool.why),
            ("beats", "; ".join(_beaten(tool))),
            ("newer orders", "; ".join(tool.newer_orders)),
        )
        yield from entry(f"{tool.tool}: {_what(tool.version, keeps=tool.keeps)}, by the rule {tool.rule}", fields)
    yield f"{len(found.tools)} tool(s), as of position {found.as_of_position}, fleet {found.fleet_position}"


def _beaten(tool: "ToolWanted") -> Iterator[str]:
    for one in tool.beaten:
        by = "" if one.rollout is None else f" by rollout {one.rollout}"
        yield f"{one.rule} ({_what(one.version, keeps=one.rule == 'contract')}{by})"


def _what(version: int | None, *, keeps: bool) -> str:
    return "as it is" if keeps else "none" if version is None else f"version {version}"

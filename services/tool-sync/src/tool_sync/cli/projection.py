"""``tool-sync projection rebuild | verify``: a projection beside the log that it is a fold of."""

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tool_sync.cli.exits import EXIT_FOUND, EXIT_REFUSED, EXIT_USAGE
from tool_sync.cli.exits import error as say
from tool_sync.cli.options import Json, OwnerUrl, ReasonNeeded
from tool_sync.cli.output import print_json, print_line, print_whole, say_not_looked_at

if TYPE_CHECKING:
    from tool_sync.db import Connection
    from tool_sync.log.projections import RebuildError, Verified

app = typer.Typer(name="projection", help="Rebuild the read tables from the log, or check them.", no_args_is_help=True)

NOT_LOOKED_AT: Final = (
    "whether the log itself is as it was written: `tool-sync log verify`",
    "tables that are no fold of the log: leases, snapshots, cursors, dead_letters, vapi_keys and caches",
    "Vapi: `tool-sync check --live`",
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The projection's name, which is its table's.")]


@app.command()
def rebuild(name: NameArgument, database_url: OwnerUrl, reason: ReasonNeeded, as_json: Json = False) -> None:
    """Rebuild a read table from the log and write the rows that differ, while the service runs.

    Readers notice nothing. Appends wait some tens of milliseconds at a time, and only while rows are written.

    Ctrl-C stops it at any time; it can be started again.
    """
    from tool_sync.admin.actions import OperatorAction, note_action
    from tool_sync.cli.bar import bar
    from tool_sync.cli.connected import connected
    from tool_sync.log import projections

    async def note(connection: "Connection") -> None:
        await note_action(connection, OperatorAction.PROJECTION_REBUILD, name, reason)

    if status := asyncio.run(connected(database_url, note)):
        raise typer.Exit(status)
    try:
        with bar() as say:
            done = asyncio.run(projections.rebuild(database_url, name, lambda p: say(p.doing, p.done, p.total)))
    except projections.RebuildError as error:
        raise typer.Exit(_refused(error)) from None
    if as_json:
        document = {**asdict(done), "looked_at": _range(name, done.position)}
        print_json("projection rebuild", document, not_looked_at=NOT_LOOKED_AT)
        return
    print_line(
        f"{name}: {done.position:,} events folded in {done.seconds:.1f} s, {done.differing:,} rows differed and were "
        f"written; writers waited at most {done.paused_seconds_max * 1000:.0f} ms at a time"
    )
    print_line(f"looked at: {_range(name, done.position)}")
    say_not_looked_at(NOT_LOOKED_AT)


@app.command()
def verify(
    database_url: OwnerUrl,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this one; all of them without a name.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare the read tables with the log and print the rows that differ. Nothing is written or locked.

    Exit status 1: a row differs, or a table is behind the log.
    """
    from tool_sync.cli.bar import bar
    from tool_sync.log import projections

    found: list[Verified] = []
    try:
        for one in [name] if name else asyncio.run(projections.names(database_url)):
            with bar() as say:
                found.append(
                    asyncio.run(
                        projections.verify(database_url, one, lambda p, one=one: say(one, p.done, p.total))  # type: ignore[misc]
                    )
                )
            if not as_json:
                _say(found[-1])
    except projections.RebuildError as error:
        raise typer.Exit(_refused(error)) from None
    holds = all(one.is_current for one in found)
    not_looked_at = [*(["the other projections"] if name else []), *NOT_LOOKED_AT]
    if as_json:
        tables = [{**asdict(one), "looked_at": _range(one.name, one.position)} for one in found]
        complete = not any(one.behind for one in found)
        print_json("projection verify", {"ok": holds, "tables": tables}, complete=complete, not_looked_at=not_looked_at)
    else:
        say_not_looked_at(not_looked_at)
    raise typer.Exit(0 if holds else EXIT_FOUND)


def _say(found: "Verified") -> None:
    behind = f", {found.behind:,} BEHIND the log: what is above was not looked at" if found.behind else ""
    print_line(f"{found.name}: {found.differing:,} rows differ at position {found.position:,}{behind}")
    print_line(f"  looked at: {_range(found.name, found.position)}, {found.rows:,} rows")
    for difference in found.shown:
        print_whole(f"  table {difference.live or '(no row)'}\n  log   {difference.folded or '(no row)'}")
    if found.differing > len(found.shown):
        print_line(f"  … and {found.differing - len(found.shown):,} more")


def _range(name: str, position: int) -> str:
    events = f"events 1 to {position:,}" if position else "no event, as the log is empty"
    return f"the table {name} beside {events}"


def _refused(error: "RebuildError") -> int:
    import asyncpg

    from tool_sync.log import projections

    say(error)
    match error:
        case projections.FoldRaised():
            return EXIT_FOUND
        case projections.AlreadyRunning():
            return EXIT_REFUSED
        case projections.DatabaseTrouble() if isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError):
            return EXIT_REFUSED
        case _:
            return EXIT_USAGE

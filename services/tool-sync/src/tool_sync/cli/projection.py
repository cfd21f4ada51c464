"""``tool-sync projection rebuild | verify``: a projection beside the log that it is a fold of."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tool_sync.cli.options import EXIT_DATABASE, EXIT_FOUND, EXIT_USAGE, OwnerUrl

if TYPE_CHECKING:
    from tool_sync.projections import RebuildError, Verified

app = typer.Typer(help="Make the tables of what is known now anew from the log, or check them.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The projection's name, which is its table's.")]


@app.command()
def rebuild(name: NameArgument, database_url: OwnerUrl) -> None:
    """Fold the log anew and write the rows that differ, while the service runs.

    Readers notice nothing; appends wait some tens of milliseconds at a time, and only where rows differ. It may be
    ended with Ctrl-C and started again.
    """
    from tool_sync import projections
    from tool_sync.cli.bar import bar

    try:
        with bar() as say:
            done = asyncio.run(projections.rebuild(database_url, name, lambda p: say(p.doing, p.done, p.total)))
    except projections.RebuildError as error:
        raise typer.Exit(_refused(error)) from None
    print(
        f"{name}: {done.position:,} events folded in {done.seconds:.1f} s, {done.differing:,} rows differed and were "
        f"written; writers waited at most {done.paused_seconds_max * 1000:.0f} ms at a time"
    )


@app.command()
def verify(
    database_url: OwnerUrl,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="All of them without a name.")] = None,
) -> None:
    """Fold the log anew and print the rows that differ; writes nothing and takes no lock. Exit status 1 if any does."""
    from tool_sync import projections
    from tool_sync.cli.bar import bar

    wrong = False
    try:
        for one in [name] if name else asyncio.run(projections.names(database_url)):
            with bar() as say:
                found = asyncio.run(
                    projections.verify(database_url, one, lambda p, one=one: say(one, p.done, p.total))  # type: ignore[misc]
                )
            wrong = _say(found) or wrong
    except projections.RebuildError as error:
        raise typer.Exit(_refused(error)) from None
    raise typer.Exit(EXIT_FOUND if wrong else 0)


def _say(found: "Verified") -> bool:
    behind = f", {found.behind:,} behind the log" if found.behind else ""
    print(f"{found.name}: {found.differing:,} rows differ at position {found.position:,}{behind}")
    for difference in found.shown:
        print(f"  table {difference.live or '(no row)'}\n  log   {difference.folded or '(no row)'}")
    if found.differing > len(found.shown):
        print(f"  … and {found.differing - len(found.shown):,} more")
    return not found.holds


def _refused(error: "RebuildError") -> int:
    from tool_sync import projections

    print(f"tool-sync: {error}", file=sys.stderr)
    match error:
        case projections.UnknownProjection():
            return EXIT_USAGE
        case projections.DatabaseTrouble() | projections.DiskFull():
            return EXIT_DATABASE
        case _:
            return EXIT_FOUND

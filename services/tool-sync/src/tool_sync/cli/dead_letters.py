"""``tool-sync dead-letters list | show | replay``: records that could not be taken in."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

import typer

from tool_sync.cli.options import EXIT_FOUND, EXIT_USAGE, DatabaseUrl, DryRun, Json, Limit, Org, Since

if TYPE_CHECKING:
    from tool_sync.db import Connection
    from tool_sync.queries.audit import Place

BYTES_SHOWN_MAX: Final = 4096

app = typer.Typer(
    name="dead-letters", help="Show records that could not be taken in, and take them in again.", no_args_is_help=True
)

Ids = Annotated[list[int] | None, typer.Argument(metavar="ID...", help="Numbers of the list; none: all open ones.")]


@app.command("list")
def list_letters(
    database_url: DatabaseUrl,
    org: Org = None,
    since: Since = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also show those that are closed.")] = False,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """List records that could not be taken in, oldest first."""
    raise typer.Exit(asyncio.run(_list(database_url, org, since, limit, closed=all_of_them, as_json=as_json)))


async def _list(
    database_url: str, org: UUID | None, since: datetime | None, limit: int, *, closed: bool, as_json: bool
) -> int:
    from tool_sync.cli.connected import connected
    from tool_sync.cli.output import entry, print_json, print_lines, utc
    from tool_sync.queries.dead_letters import list_letters as find

    async def work(connection: "Connection") -> int:
        found = await find(connection, org_id=org, since=since, closed=closed, limit=limit)
        is_all = len(found) < limit
        if as_json:
            print_json("dead-letters list", [_without_bytes(one) for one in found], complete=is_all)
            return 0
        for one in found:
            fields = (
                ("organization", one.org_id),
                ("set aside at", utc(one.recorded_at)),
                ("reason", one.reason),
                ("closed by", one.closed_by),
            )
            print_lines(entry(f"{one.id}: {one.topic} {one.partition} {one.offset}", fields))
        if not found:
            print("there is none")
        elif not is_all:
            print(f"the oldest {limit:,} are shown; --limit shows more")
        return 0

    return await connected(database_url, work)


@app.command("show")
def show_letter(
    letter_id: Annotated[int, typer.Argument(metavar="ID", help="Its number in the list.")],
    database_url: DatabaseUrl,
    as_json: Json = False,
) -> None:
    """Show one record with its bytes, of the value at most 4 KiB."""
    raise typer.Exit(asyncio.run(_show(database_url, letter_id, as_json=as_json)))


async def _show(database_url: str, letter_id: int, *, as_json: bool) -> int:
    from tool_sync.cli.connected import NotFound, connected
    from tool_sync.cli.output import print_json, print_lines
    from tool_sync.queries.dead_letters import read_letter

    async def work(connection: "Connection") -> int:
        letter = await read_letter(connection, letter_id)
        if letter is None:
            raise NotFound(f"there is no dead letter {letter_id}; `tool-sync dead-letters list --all` shows them")
        document = _without_bytes(letter) | {
            "key": _shown(letter.key),
            "headers": [[name, _shown(value)] for name, value in letter.headers],
            "value": _shown(letter.value),
            "value_bytes": len(letter.value or b""),
        }
        if as_json:
            print_json("dead-letters show", document, complete=len(letter.value or b"") <= BYTES_SHOWN_MAX)
        else:
            print_lines(f"{name:12} {value}" for name, value in document.items())
        return 0

    return await connected(database_url, work)


@app.command("replay")
def replay_letters(database_url: DatabaseUrl, ids: Ids = None, org: Org = None, dry_run: DryRun = False) -> None:
    """Take records in again, as this release reads them. Exit status 1: one cannot be read this time either."""
    raise typer.Exit(asyncio.run(_replay(database_url, ids or [], org, dry_run=dry_run)))


async def _replay(database_url: str, ids: Sequence[int], org: UUID | None, *, dry_run: bool) -> int:
    from tool_sync.admin.dead_letters import replay_letters as replay
    from tool_sync.cli.connected import NotFound, connected, log_of
    from tool_sync.cli.output import error as say
    from tool_sync.queries.dead_letters import list_letters as find
    from tool_sync.telemetry import SERVICE_VERSION

    async def work(connection: "Connection") -> int:
        letters = await find(connection, org_id=org, since=None, closed=False, limit=100_000)
        if missing := sorted(set(ids) - {letter.id for letter in letters}):
            raise NotFound(
                f"no open dead letter {', '.join(map(str, missing))}; `tool-sync dead-letters list` has them"
            )
        letters = [letter for letter in letters if not ids or letter.id in ids]
        if dry_run:
            print(f"would take {len(letters)} record(s) in again")
            return 0
        async with log_of(database_url) as log:
            answers = await replay(connection, log, letters, SERVICE_VERSION)
        failed = [answer for answer in answers if answer.problem is not None]
        for answer in failed:
            say(f"{answer.letter.id} stays: {answer.problem}")
        print(f"{len(answers) - len(failed)} record(s) were taken in, {len(failed)} stay")
        return EXIT_FOUND if failed else 0

    return await connected(database_url, work)


async def acknowledge_letter(database_url: str, place: "Place", reason: str) -> int:
    """Close a record that needs nothing more; returns the exit status."""
    from tool_sync.admin.dead_letters import acknowledge
    from tool_sync.cli.connected import connected
    from tool_sync.cli.output import error as say

    async def work(connection: "Connection") -> int:
        if not await acknowledge(connection, place, reason):
            say(f"there is no open dead letter at {place}; `tool-sync dead-letters list` has them")
            return EXIT_USAGE
        say(f"{place} is closed: {reason}")
        return 0

    return await connected(database_url, work)


def _without_bytes(letter: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(letter).items() if name not in ("key", "headers", "value")}


def _shown(raw: bytes | None) -> str | None:
    return None if raw is None else raw[:BYTES_SHOWN_MAX].decode("utf-8", "backslashreplace")

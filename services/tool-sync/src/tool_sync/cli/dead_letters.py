"""``tool-sync dead-letters list | show | replay | acknowledge``: records that could not be taken in."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tool_sync.cli.ending import end_connected
from tool_sync.cli.exits import EXIT_FOUND, error
from tool_sync.cli.options import DatabaseUrl, DryRun, Json, Limit, Org, ReasonNeeded, Since
from tool_sync.cli.output import entry, print_line, show, utc

if TYPE_CHECKING:
    from tool_sync.db import Connection
    from tool_sync.queries.dead_letters import DeadLetter

BYTES_SHOWN_MAX: Final = 4096

app = typer.Typer(
    name="dead-letters", help="Show records that could not be read, and read them again.", no_args_is_help=True
)

Ids = Annotated[
    list[int] | None, typer.Argument(metavar="ID", help="Numbers from the list; without any, every open one.")
]
LetterId = Annotated[int, typer.Argument(metavar="ID", help="The number that `list` shows.")]


@app.command("list")
def list_letters(
    database_url: DatabaseUrl,
    org: Org = None,
    since: Since = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also show those that are closed.")] = False,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """List records that could not be read, oldest first."""
    from tool_sync.queries.dead_letters import list_letters as find_letters

    async def work(connection: "Connection") -> None:
        found = await find_letters(connection, org_id=org, since=since, closed=all_of_them, limit=limit)
        is_all = len(found) < limit
        documents = [_without_bytes(one) for one in found]
        show("dead-letters list", documents, _lines(found, None if is_all else limit), as_json=as_json, complete=is_all)

    end_connected(database_url, work)


def _lines(found: Sequence["DeadLetter"], cut_at: int | None) -> Iterator[str]:
    for one in found:
        fields = (
            ("organization", one.org_id),
            ("recorded at", utc(one.recorded_at)),
            ("reason", one.reason),
            ("closed by", one.closed_by),
        )
        yield from entry(f"{one.id}: {one.topic} {one.partition} {one.offset}", fields)
    if not found:
        yield "there is no dead letter to show"
    elif cut_at is not None:
        yield f"the oldest {cut_at:,} are shown; --limit shows more"


@app.command("show")
def show_letter(
    letter_id: LetterId,
    database_url: DatabaseUrl,
    as_json: Json = False,
) -> None:
    """Show one record with its bytes; of its value, the first 4 KiB."""
    from tool_sync.cli.exits import NotFound
    from tool_sync.queries.dead_letters import read_letter

    async def work(connection: "Connection") -> None:
        letter = await read_letter(connection, letter_id)
        if letter is None:
            raise NotFound(f"there is no dead letter {letter_id}; `tool-sync dead-letters list --all` shows them")
        value_bytes = len(letter.value or b"")
        document = _without_bytes(letter) | {
            "key": _shown(letter.key),
            "headers": [[name, _shown(value)] for name, value in letter.headers],
            "value": _shown(letter.value),
            "value_bytes": value_bytes,
        }
        lines = (f"{name:12} {value}" for name, value in document.items())
        show("dead-letters show", document, lines, as_json=as_json, complete=value_bytes <= BYTES_SHOWN_MAX)

    end_connected(database_url, work)


def _without_bytes(letter: "DeadLetter") -> dict[str, Any]:
    return {name: value for name, value in asdict(letter).items() if name not in ("key", "headers", "value")}


def _shown(raw: bytes | None) -> str | None:
    return None if raw is None else raw[:BYTES_SHOWN_MAX].decode("utf-8", "backslashreplace")


@app.command("replay")
def replay_letters(
    database_url: DatabaseUrl, reason: ReasonNeeded, ids: Ids = None, org: Org = None, dry_run: DryRun = False
) -> None:
    """Read records again with this release. Exit status 1: one of them still cannot be read."""
    from tool_sync.admin.dead_letters import replay_letters as read_again
    from tool_sync.cli.connected import log_of
    from tool_sync.cli.exits import NotFound
    from tool_sync.queries.dead_letters import list_letters as find_letters

    async def work(connection: "Connection") -> int:
        letters = await find_letters(connection, org_id=org, since=None, closed=False, limit=100_000)
        if missing := sorted(set(ids or ()) - {letter.id for letter in letters}):
            numbers = ", ".join(map(str, missing))
            raise NotFound(f"no open dead letter {numbers}; `tool-sync dead-letters list` has them")
        letters = [letter for letter in letters if not ids or letter.id in ids]
        if dry_run:
            print_line(f"would read {len(letters)} record(s) again")
            return 0
        async with log_of(database_url) as log:
            answers = await read_again(connection, log, letters, reason)
        failed = [answer for answer in answers if answer.problem is not None]
        for answer in failed:
            error(f"dead letter {answer.letter.id} still cannot be read: {answer.problem}")
        print_line(f"{len(answers) - len(failed)} record(s) were read, {len(failed)} still cannot be")
        return EXIT_FOUND if failed else 0

    end_connected(database_url, work)


@app.command("acknowledge")
def acknowledge_letter(
    letter_id: LetterId,
    database_url: DatabaseUrl,
    reason: ReasonNeeded,
) -> None:
    """Acknowledge a record that needs nothing more, so that the audit no longer counts it as a gap."""
    from tool_sync.admin.dead_letters import acknowledge
    from tool_sync.cli.exits import NotFound

    async def work(connection: "Connection") -> None:
        if not await acknowledge(connection, letter_id, reason):
            raise NotFound(f"no open dead letter {letter_id}; `tool-sync dead-letters list` has them")
        error(f"dead letter {letter_id} is closed: {reason}")

    end_connected(database_url, work)

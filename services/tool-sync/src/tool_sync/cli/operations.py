"""``tool-sync failures …`` and ``tool-sync dead-letters …``."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table

from tool_sync.cli.options import COLUMNS_IN_FILES, EXIT_FOUND, DatabaseUrl, utc

BYTES_SHOWN_MAX: Final = 4096

failures = typer.Typer(help="Assistants that lack tools.", no_args_is_help=True)
dead_letters = typer.Typer(help="Records that could not be taken in.", no_args_is_help=True)

Org = Annotated[UUID | None, typer.Option(help="Only of this organization.")]
Code = Annotated[str | None, typer.Option(help="Only with this error code, like TS-301.")]
Since = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"], help="From then (UTC)."),
]
Limit = Annotated[int, typer.Option(help="At most so many.", min=1, max=100_000)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Ids = Annotated[list[int] | None, typer.Argument(metavar="ID...", help="Numbers of the list; none: all open ones.")]


@failures.command("list")
def list_failures(
    database_url: DatabaseUrl,
    org: Org = None,
    code: Code = None,
    since: Since = None,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """List assistants that lack tools or whose callers reach none, the newest first, and when each is retried.

    A Vapi key that is paused stands on top, as everything waits for it; in JSON it is a row without an organization.
    """

    async def work(connection: Any) -> int:
        from tool_sync.cli.account import account_lines
        from tool_sync.queries.failures import list_failures as find
        from tool_sync.queries.waiting import waiting
        from tool_sync.vapi.rate_limit import paused_keys

        found = await find(connection, org_id=org, code=code, since=utc(since), limit=limit)
        keys, behind = await paused_keys(connection), await waiting(connection)
        if as_json:
            rows = [_account_row(key, behind) for key in keys] + [asdict(one) for one in found]
            print(to_json(rows, indent=2).decode())
            return 0
        for line in account_lines(keys, behind):
            _console().print(line, markup=False, soft_wrap=True)
        if not found:
            print(
                "no newest outcome is a failure; not looked at: who was never synced or lacks what is new, see coverage"
            )
            return 0
        table = Table()
        for heading in ("organization", "agent", "code", "failed at (UTC)", "next by itself (UTC)", "trace"):
            table.add_column(heading, overflow="fold")
        for one in found:
            table.add_row(
                str(one.org_id), one.agent_id, one.code, _time(one.failed_at), _time(one.look_at), one.trace_id
            )
        if len(found) == limit:
            table.caption = f"the newest {limit:,}: there may be more, see --limit"
        _console().print(table)
        return 0

    raise typer.Exit(_run(database_url, work))


def _account_row(key: Any, behind: Any) -> dict[str, Any]:
    """The account among the failures: the columns of an assistant that it has, and what only it has."""
    return {
        "org_id": None,
        "agent_id": None,
        "assistant_id": None,
        "code": key.code,
        "revision": None,
        "failed_at": key.since,
        "look_at": key.until,
        "trace_id": None,
        "account": asdict(key) | {"waiting": asdict(behind)},
    }


@failures.command("show")
def show_failure(
    org: Annotated[UUID, typer.Argument(metavar="ORG")],
    agent: Annotated[str, typer.Argument(metavar="AGENT")],
    database_url: DatabaseUrl,
    as_json: Json = False,
) -> None:
    """One assistant: what it lacks and why, what happened, and what happens next."""
    from tool_sync.cli.explain import show_explanation

    raise typer.Exit(
        asyncio.run(show_explanation(database_url, agent, at=None, as_json=as_json, jaeger_url=None, org_id=org))
    )


@failures.command("retry")
def retry_failures(
    database_url: DatabaseUrl,
    org: Org = None,
    code: Code = None,
    since: Since = None,
    limit: Limit = 100_000,
    dry_run: DryRun = False,
) -> None:
    """Try them again now, whatever they wait for. A success is published with cause `recovered`."""

    async def work(connection: Any) -> int:
        from tool_sync.admin.failures import retry_failures as retry
        from tool_sync.queries.failures import list_failures as find
        from tool_sync.telemetry import SERVICE_VERSION

        found = await find(connection, org_id=org, code=code, since=utc(since), limit=limit)
        orgs = len({one.org_id for one in found})
        if dry_run:
            print(f"would try {len(found)} assistant(s) of {orgs} organization(s) again")
            return 0
        async with log_of(database_url) as log:
            count = await retry(log, found, SERVICE_VERSION)
        print(f"{count} assistant(s) of {orgs} organization(s) are tried again")
        return 0

    raise typer.Exit(_run(database_url, work))


@dead_letters.command("list")
def list_letters(
    database_url: DatabaseUrl,
    org: Org = None,
    since: Since = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """Oldest first."""

    async def work(connection: Any) -> int:
        from tool_sync.queries.dead_letters import list_letters as find

        found = await find(connection, org_id=org, since=utc(since), closed=all_of_them, limit=limit)
        if as_json:
            print(to_json([_without_bytes(one) for one in found], indent=2).decode())
            return 0
        table = Table("id", "record", "set aside at (UTC)", "organization", "closed by")
        table.add_column("reason", overflow="fold")
        for one in found:
            place = f"{one.topic} {one.partition} {one.offset}"
            table.add_row(str(one.id), place, _time(one.recorded_at), str(one.org_id or ""), one.closed_by, one.reason)
        _console().print(table)
        return 0

    raise typer.Exit(_run(database_url, work))


@dead_letters.command("show")
def show_letter(
    letter_id: Annotated[int, typer.Argument(metavar="ID")], database_url: DatabaseUrl, as_json: Json = False
) -> None:
    """One record with its bytes, of the value at most 4 KiB."""

    async def work(connection: Any) -> int:
        from tool_sync.queries.dead_letters import read_letter

        letter = await read_letter(connection, letter_id)
        if letter is None:
            print(f"tool-sync: there is no dead letter {letter_id}", file=sys.stderr)
            return EXIT_FOUND
        document = _without_bytes(letter) | {
            "key": _shown(letter.key),
            "headers": [[name, _shown(value)] for name, value in letter.headers],
            "value": _shown(letter.value),
            "value_bytes": len(letter.value or b""),
        }
        if as_json:
            print(to_json(document, indent=2).decode())
        else:
            for name, value in document.items():
                _console().print(f"{name:12} {value}", markup=False)
        return 0

    raise typer.Exit(_run(database_url, work))


@dead_letters.command("replay")
def replay_letters(database_url: DatabaseUrl, ids: Ids = None, org: Org = None, dry_run: DryRun = False) -> None:
    """Take records in again, as this release reads them. Exit status 1 where one cannot be read this time either."""

    async def work(connection: Any) -> int:
        from tool_sync.admin.dead_letters import replay_letters as replay
        from tool_sync.queries.dead_letters import list_letters as find
        from tool_sync.telemetry import SERVICE_VERSION

        letters = await find(connection, org_id=org, since=None, closed=False, limit=100_000)
        if ids:
            missing = sorted(set(ids) - {letter.id for letter in letters})
            if missing:
                print(f"tool-sync: no open dead letter {', '.join(map(str, missing))}", file=sys.stderr)
                return EXIT_FOUND
            letters = [letter for letter in letters if letter.id in set(ids)]
        if dry_run:
            print(f"would take {len(letters)} record(s) in again")
            return 0
        async with log_of(database_url) as log:
            answers = await replay(connection, log, letters, SERVICE_VERSION)
        failed = [answer for answer in answers if answer.problem is not None]
        for answer in failed:
            print(f"tool-sync: {answer.letter.id} stays: {answer.problem}", file=sys.stderr)
        print(f"{len(answers) - len(failed)} record(s) were taken in, {len(failed)} stay")
        return EXIT_FOUND if failed else 0

    raise typer.Exit(_run(database_url, work))


def _run(database_url: str, work: Any) -> int:
    from tool_sync.cli.connected import connected

    return asyncio.run(connected(database_url, work))


@asynccontextmanager
async def log_of(database_url: str) -> AsyncIterator[Any]:
    """The log, to append to."""
    from tool_sync import db
    from tool_sync.log import EventLog

    pool = await db.create_pool(database_url, size_max=2, application_name="zerotouch cli")
    try:
        log = EventLog(pool)
        appending = asyncio.create_task(log.run_forever())
        try:
            yield log
        finally:
            log.stop()
            await appending
    finally:
        await pool.close()


def _without_bytes(letter: Any) -> dict[str, Any]:
    hidden: Sequence[str] = ("key", "headers", "value")
    return {name: value for name, value in asdict(letter).items() if name not in hidden}


def _shown(raw: bytes | None) -> str | None:
    return None if raw is None else raw[:BYTES_SHOWN_MAX].decode("utf-8", "backslashreplace")


def _time(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else COLUMNS_IN_FILES, highlight=False)

"""``tool-sync coverage [ORG]``: which assistants can book, and why the others cannot."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from pydantic_core import to_json
from rich.console import Console
from rich.table import Table

from tool_sync import db
from tool_sync.cli.account import account_document, account_lines
from tool_sync.cli.connected import connected
from tool_sync.cli.options import COLUMNS_IN_FILES, EXIT_FOUND
from tool_sync.queries.coverage import NOT_LOOKED_AT, CannotBook, Coverage, cannot_book, coverage_of, looked_at
from tool_sync.queries.organizations import is_known
from tool_sync.queries.waiting import waiting
from tool_sync.vapi.rate_limit import paused_keys
from zerotouch_contracts.errors import CATALOGUE, ErrorCode


async def show_coverage(database_url: str, org_id: UUID | None, *, limit: int, as_json: bool) -> int:
    """Print it; exit status 1 where an assistant that should book cannot."""

    async def work(connection: db.Connection) -> int:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            if org_id is not None and not await is_known(connection, org_id):
                print(f"tool-sync: there is no organization {org_id}", file=sys.stderr)
                return EXIT_FOUND
            found = await coverage_of(connection, org_id)
            without = await cannot_book(connection, org_id, limit=limit)
            keys, behind = await paused_keys(connection), await waiting(connection)
        if as_json:
            document = {
                **asdict(found),
                "percent": found.percent,
                "cannot_book": [asdict(one) for one in without],
                "not_shown": found.assistants - found.equipped - len(without),
                "looked_at": looked_at(found, org_id),
                "not_looked_at": list(NOT_LOOKED_AT),
                **account_document(keys, behind),
            }
            print(to_json(document, indent=2).decode())
        else:
            console = Console(width=None if sys.stdout.isatty() else COLUMNS_IN_FILES, highlight=False)
            for line in (*account_lines(keys, behind), *_lines(found, org_id)):
                console.print(line, markup=False, soft_wrap=True)
            if without:
                console.print(_table(without, found.assistants - found.equipped - len(without)))
        return EXIT_FOUND if found.equipped < found.assistants else 0

    return await connected(database_url, work)


def _lines(found: Coverage, org_id: UUID | None) -> Sequence[str]:
    counted = (
        f"{found.equipped:,} of {found.assistants:,} assistants that should book can ({found.percent:.2f} %)"
        if found.assistants
        else "no assistant should book: there is none whose clinic wants a tool"
    )
    older = (
        f"{found.older_definition:,} of the others have every tool, from an older definition than the newest, "
        "which callers still reach"
    )
    none = f"{found.without_tools:,} more have no tools, as their clinics want none" if found.without_tools else None
    return (
        counted,
        *([older] if found.older_definition else ()),
        *([none] if none else ()),
        f"looked at: {looked_at(found, org_id)}",
        *(f"not looked at: {what}" for what in NOT_LOOKED_AT),
    )


def _table(without: Sequence[CannotBook], more: int) -> Table:
    table = Table(show_lines=True)
    for heading in ("organization", "agent", "code", "next look (UTC)", "why, and who acts"):
        table.add_column(heading, overflow="fold")  # on a narrow terminal an id is folded, not cut
    for one in without:
        why = "; ".join(lack.what for lack in one.lacks)
        at = f"{one.look_at:%Y-%m-%d %H:%M:%S}" if one.look_at else ""
        table.add_row(str(one.org_id), one.agent_id, one.code or "", at, why + acts(one.code))
    if more:
        table.caption = f"{more:,} more: --limit shows more of them"
    return table


def acts(code: str | None) -> str:
    """What the catalogue says of a code, as the end of a sentence; nothing where there is none."""
    try:
        entry = CATALOGUE[ErrorCode(code)] if code is not None else None
    except ValueError:  # a newer release's
        return f" ({code})"
    return "" if entry is None else f": {entry.title}. {entry.who_acts}: {entry.what_to_do}"

"""``tool-sync coverage [ORG]``: which assistants can book, and why the others cannot."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from uuid import UUID

from tool_sync import db
from tool_sync.cli.account import account_document, account_lines
from tool_sync.cli.connected import NotFound, connected
from tool_sync.cli.options import EXIT_FOUND
from tool_sync.cli.output import entry, print_json, print_lines, utc
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
                raise NotFound(f"there is no organization {org_id}")
            found = await coverage_of(connection, org_id)
            without = await cannot_book(connection, org_id, limit=limit)
            keys, behind = await paused_keys(connection), await waiting(connection)
        more = found.assistants - found.equipped - len(without)
        if as_json:
            document = {
                **asdict(found),
                "percent": found.percent,
                "cannot_book": [asdict(one) for one in without],
                "not_shown": more,
                "looked_at": looked_at(found, org_id),
                **account_document(keys, behind),
            }
            print_json("coverage", document, complete=not more, not_looked_at=NOT_LOOKED_AT)
        else:
            print_lines((*account_lines(keys, behind), *_lines(found, org_id), *_list(without, more)))
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


def _list(without: Sequence[CannotBook], more: int) -> Iterator[str]:
    for one in without:
        why = "; ".join(lack.what for lack in one.lacks)
        yield from entry(
            f"agent {one.agent_id}",
            (
                ("organization", one.org_id),
                ("code", one.code),
                ("why", why + acts(one.code)),
                ("next look", utc(one.look_at)),
            ),
        )
    if more:
        yield f"{more:,} more: --limit shows more of them"


def acts(code: str | None) -> str:
    """What the catalogue says of a code, as the end of a sentence; nothing where there is none."""
    try:
        entry = CATALOGUE[ErrorCode(code)] if code is not None else None
    except ValueError:  # a newer release's
        return f" ({code})"
    return "" if entry is None else f": {entry.title}. {entry.who_acts}: {entry.what_to_do}"

"""``tool-sync coverage [ORG]``: which assistants can book, and why the others cannot."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from uuid import UUID

from tool_sync.cli.account import account_document, account_lines
from tool_sync.cli.connected import NotFound
from tool_sync.cli.options import EXIT_FOUND
from tool_sync.cli.output import entry, show, utc
from tool_sync.db import Connection
from tool_sync.queries.coverage import NOT_LOOKED_AT, CannotBook, Coverage, cannot_book, coverage_of, looked_at
from tool_sync.queries.organizations import is_known
from tool_sync.queries.waiting import waiting
from tool_sync.sync.object_looks import OldestLook, oldest_look
from tool_sync.vapi.rate_limit import paused_keys
from zerotouch_contracts.errors import entry_of


async def show_coverage(connection: Connection, org_id: UUID | None, limit: int, *, as_json: bool) -> int:
    """Print it; exit status 1 where an assistant that should book cannot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        if org_id is not None and not await is_known(connection, org_id):
            raise NotFound(f"there is no organization {org_id}")
        found = await coverage_of(connection, org_id)
        without = await cannot_book(connection, org_id, limit=limit)
        keys, behind = await paused_keys(connection), await waiting(connection)
        oldest = await oldest_look(connection)
    more = found.assistants - found.equipped - len(without)
    document = {
        **asdict(found),
        "percent": found.percent,
        "cannot_book": without,
        "not_shown": more,
        "looked_at": looked_at(found, org_id),
        "oldest_look": None if oldest is None else oldest.looked_at,
        **account_document(keys, behind),
    }
    lines = (*account_lines(keys, behind), *_lines(found, org_id), *_looks(oldest), *_list(without, more))
    show("coverage", document, lines, as_json=as_json, complete=not more, not_looked_at=NOT_LOOKED_AT)
    return EXIT_FOUND if found.equipped < found.assistants else 0


def _lines(found: Coverage, org_id: UUID | None) -> Iterator[str]:
    if found.assistants:
        yield f"{found.equipped:,} of {found.assistants:,} assistants that should book can ({found.percent:.2f} %)"
    else:
        yield "no assistant should book: there is none for whose clinic a tool is wanted"
    if found.other_definition:
        yield f"{found.other_definition:,} of these have a tool in another version than a new clinic gets"
    if found.without_tools:
        yield f"{found.without_tools:,} more have no tools, because none is wanted for their clinics"
    yield from (f"{name} is halted for every clinic: no assistant may have it" for name in found.halted)
    yield f"looked at: {looked_at(found, org_id)}"
    yield from (f"not looked at: {what}" for what in NOT_LOOKED_AT)


def _looks(oldest: OldestLook | None) -> Iterator[str]:
    if oldest is not None:
        yield f"oldest look at Vapi: {utc(oldest.looked_at)} (a {oldest.kind})"


def _list(without: Sequence[CannotBook], more: int) -> Iterator[str]:
    for one in without:
        why = "; ".join(lack.what for lack in one.lacks)
        fields = (
            ("organization", one.org_id),
            ("code", one.code),
            ("why", why + _acts(one.code)),
            ("next look", utc(one.look_at)),
        )
        yield from entry(f"agent {one.agent_id}", fields)
    if more:
        yield f"{more:,} more: --limit shows more of them"


def _acts(code: str | None) -> str:
    """What the catalogue says of a code, as the end of a sentence; nothing where there is none."""
    if code is None:
        return ""
    known = entry_of(code)
    return f" ({code})" if known is None else f": {known.title}. {known.who_acts}: {known.what_to_do}"

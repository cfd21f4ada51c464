"""``tool-sync coverage [ORG]``: which assistants can book, and why the others cannot."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from uuid import UUID

from tool_sync.cli.account import account_document, account_lines
from tool_sync.cli.exits import EXIT_FOUND, NotFound
from tool_sync.cli.output import called, entry, show, standing_lines, utc
from tool_sync.db import Connection
from tool_sync.queries.as_of import fleet_of, state_as_of
from tool_sync.queries.assistants import assistants_after
from tool_sync.queries.can_book import Standing, standings
from tool_sync.queries.coverage import NOT_LOOKED_AT, CannotBook, Coverage, cannot_book, coverage_of, looked_at
from tool_sync.queries.display_names import Names, names_of
from tool_sync.queries.drift import LeftDrift, left_drift
from tool_sync.queries.organizations import is_known
from tool_sync.queries.tool_calls import booked_lines, calls_of
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
        left = await left_drift(connection, (await fleet_of(connection)).reported, org_id)
        names = await names_of(connection, [(one.org_id, None) for one in without])
        told = () if org_id is None else await _told(connection, org_id, [one.agent_id for one in without], limit)
        calls = None if org_id is None else await calls_of(connection, org_id)
    more = found.assistants - found.equipped - len(without)
    document = {
        **asdict(found),
        "percent": found.percent,
        "cannot_book": without,
        "names": {str(org): name for (org, _), name in names.items()},
        "not_shown": more,
        "assistants_told": [one for _, one in told],
        "looked_at": looked_at(found, org_id),
        "drift_left": left,
        "oldest_look": None if oldest is None else oldest.looked_at,
        "calls": calls,
        **account_document(keys, behind),
    }
    lines = (
        *account_lines(keys, behind),
        *_lines(found, org_id),
        *(booked_lines(calls) if calls else ()),
        *_at_vapi(left, oldest),
        *(line for name, one in told for line in standing_lines(one, name)),
        *_list(without if org_id is None else (), names, more),
    )
    show("coverage", document, lines, as_json=as_json, complete=not more, not_looked_at=NOT_LOOKED_AT)
    return EXIT_FOUND if found.equipped < found.assistants else 0


async def _told(connection: Connection, org_id: UUID, without: Sequence[str], limit: int) -> list[tuple[str, Standing]]:
    """The sentences of a clinic's assistants, as the console has them, those first that cannot book (``without``)."""
    paused = await paused_keys(connection)
    moment = await state_as_of(connection, org_id, await fleet_of(connection), None, paused)
    others = [row.agent_id for row in await assistants_after(connection, org_id, "", limit)]
    agents = list(dict.fromkeys((*without, *others)))[:limit]
    names = await names_of(connection, [(org_id, agent) for agent in agents])
    return [(names[org_id, one.agent_id], one) for one in await standings(connection, moment, agents)]


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


def _at_vapi(left: Sequence[LeftDrift], oldest: OldestLook | None) -> Iterator[str]:
    for one in left:
        yield f"drift of {one.tool} is only reported: {one.clinics:,} clinics have other words than were registered"
    if oldest is not None:
        yield f"oldest look at Vapi: {utc(oldest.looked_at)} (a {oldest.kind})"


def _list(without: Sequence[CannotBook], names: Names, more: int) -> Iterator[str]:
    for one in without:
        why = "; ".join(lack.what for lack in one.lacks)
        fields = (
            ("organization", called(one.org_id, names[one.org_id, None])),
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

"""The work of ``tool-sync dead-letters``."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tool_sync.admin.dead_letters import acknowledge, replay_letters
from tool_sync.cli.connected import NotFound, log_of
from tool_sync.cli.options import EXIT_FOUND
from tool_sync.cli.output import entry, show, utc
from tool_sync.cli.output import error as say
from tool_sync.db import Connection
from tool_sync.queries.dead_letters import DeadLetter, list_letters, read_letter
from tool_sync.telemetry import SERVICE_VERSION

BYTES_SHOWN_MAX: Final = 4096


async def show_letters(
    connection: Connection, org: UUID | None, since: datetime | None, limit: int, *, closed: bool, as_json: bool
) -> int:
    """Print them, oldest first; returns the exit status."""
    found = await list_letters(connection, org_id=org, since=since, closed=closed, limit=limit)
    is_all = len(found) < limit
    documents = [_without_bytes(one) for one in found]
    show("dead-letters list", documents, _lines(found, None if is_all else limit), as_json=as_json, complete=is_all)
    return 0


def _lines(found: Sequence[DeadLetter], cut_at: int | None) -> Iterator[str]:
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


async def show_letter(connection: Connection, letter_id: int, *, as_json: bool) -> int:
    """Print one with its bytes; returns the exit status."""
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
    return 0


async def replay(
    connection: Connection, database_url: str, ids: Sequence[int], org: UUID | None, *, dry_run: bool
) -> int:
    """Take those of these numbers in again, or all open ones; returns the exit status."""
    letters = await list_letters(connection, org_id=org, since=None, closed=False, limit=100_000)
    if missing := sorted(set(ids) - {letter.id for letter in letters}):
        raise NotFound(f"no open dead letter {', '.join(map(str, missing))}; `tool-sync dead-letters list` has them")
    letters = [letter for letter in letters if not ids or letter.id in ids]
    if dry_run:
        print(f"would read {len(letters)} record(s) again")
        return 0
    async with log_of(database_url) as log:
        answers = await replay_letters(connection, log, letters, SERVICE_VERSION)
    failed = [answer for answer in answers if answer.problem is not None]
    for answer in failed:
        say(f"dead letter {answer.letter.id} still cannot be read: {answer.problem}")
    print(f"{len(answers) - len(failed)} record(s) were read, {len(failed)} still cannot be")
    return EXIT_FOUND if failed else 0


async def acknowledge_letter(connection: Connection, letter_id: int, reason: str) -> int:
    """Close a record that needs nothing more; returns the exit status."""
    if not await acknowledge(connection, letter_id, reason):
        raise NotFound(f"no open dead letter {letter_id}; `tool-sync dead-letters list` has them")
    say(f"dead letter {letter_id} is closed: {reason}")
    return 0


def _without_bytes(letter: DeadLetter) -> dict[str, Any]:
    return {name: value for name, value in asdict(letter).items() if name not in ("key", "headers", "value")}


def _shown(raw: bytes | None) -> str | None:
    return None if raw is None else raw[:BYTES_SHOWN_MAX].decode("utf-8", "backslashreplace")

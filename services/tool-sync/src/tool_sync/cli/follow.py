"""Follows the log on a connection of its own: lost with the database, made anew, and gone on with where it stopped."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from pydantic_core import to_json

from tool_sync import db
from tool_sync.cli.connected import APPLICATION, answered
from tool_sync.cli.exits import EXIT_REFUSED, NotFound, error
from tool_sync.cli.output import printable, with_more
from tool_sync.db import Connection
from tool_sync.log.head import last_before, read_head
from tool_sync.log.heads import hashes_at
from tool_sync.outcomes.feed.tail import CHANNEL
from tool_sync.queries.display_names import Names, names_of
from tool_sync.queries.following import Step, TailFilter, TailLine, newest_step, step_after
from tool_sync.queries.organizations import is_known
from zerotouch_platform.lines import COLUMNS
from zerotouch_platform.loops import Wake
from zerotouch_platform.postgres.errors import meaning_of

FIRST: Final = 10
LOOK_SECONDS: Final = 1.0
"""Without having been told of something new."""
RECONNECT_SECONDS: Final = 0.5
CLINIC_CHARACTERS: Final = 20
AGENT_CHARACTERS: Final = 16
ID_CHARACTERS: Final = 8


class AnotherLog(Exception):
    """The database came back with a log that does not go on where the one before stopped."""


async def follow(database_url: str, wanted: TailFilter, since: datetime | None, *, as_json: bool) -> int:
    """Print until Ctrl-C; returns the exit status."""
    stopping = asyncio.Event()
    following = asyncio.create_task(answered(_Following(wanted, since, _printer(as_json=as_json)).run(database_url)))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait((following, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    following.cancel()
    try:
        return await following
    except asyncio.CancelledError:  # between two lines: a line is printed whole
        return 0
    except NobodyReads:
        # What is left in the buffer goes nowhere, so that nothing is said of it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class NobodyReads(Exception):
    """Whoever read the lines has closed the pipe: no trouble of the database's, though it is an ``OSError``, too."""


class _Following:
    """``position``: up to there everything was printed; None before the first look.

    ``seen``: the newest of these, once it was asked for, and the hash of the event there, which covers all before it.
    """

    def __init__(self, wanted: TailFilter, since: datetime | None, show: Callable[[TailLine, Names], None]) -> None:
        self._wanted, self._since, self._show = wanted, since, show
        self._position: int | None = None
        self._seen: Mapping[int, str] = {}
        self._is_waiting = False

    async def run(self, database_url: str) -> int:
        """Until it is cancelled, or the log is another one."""
        while True:
            try:
                connection = await db.SESSIONS.connect(database_url, application_name=APPLICATION)
                try:
                    await self._follow(connection)
                finally:
                    connection.terminate()
            except AnotherLog as other:
                error(other)
                return EXIT_REFUSED
            except db.WAITED_OUT_ERRORS as away:
                if self._position is None:
                    raise
                if not self._is_waiting:
                    error(f"waits: {meaning_of(away)}")
                self._is_waiting = True
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _follow(self, connection: Connection) -> None:
        news = Wake()
        await connection.add_listener(CHANNEL, lambda *_: news())
        await self._require_same_log(connection)
        if self._is_waiting:
            error("goes on")  # before the lines, so that each wait is told apart from the next
            self._is_waiting = False
        while True:
            news.forget()  # before the look: what is told after it makes us look again
            await self._go_on(connection)
            await news.wait(LOOK_SECONDS)

    async def _require_same_log(self, connection: Connection) -> None:
        """What was restored or failed over may lack what was printed, or have something else in its place."""
        for position, seen in self._seen.items():
            if (await hashes_at(connection, [position])).get(position) != seen:
                raise AnotherLog(f"the log does not go on behind position {position}: was the database restored?")

    async def _go_on(self, connection: Connection) -> None:
        """To the head of the log."""
        head = await read_head(connection)
        if self._position is None:
            await self._require_known(connection)
            await self._tell(connection, await self._first(connection, head))
        while (position := self._position or 0) < head:
            await self._tell(connection, await step_after(connection, self._wanted, position, head))
        if self._position and self._position not in self._seen:
            self._seen = await hashes_at(connection, [self._position])

    async def _require_known(self, connection: Connection) -> None:
        org_id = self._wanted.org_id
        if org_id is not None and not await is_known(connection, org_id):
            raise NotFound(f"there is no organization {org_id}")

    async def _first(self, connection: Connection, head: int) -> Step:
        if self._since is None:
            return await newest_step(connection, self._wanted, head, FIRST)
        return Step((), await last_before(connection, self._since, head))

    async def _tell(self, connection: Connection, step: Step) -> None:
        about = {(one.org_id, agent) for one in step.events if one.org_id is not None for agent in (None, one.agent_id)}
        names = await names_of(connection, about)
        for one in step.events:
            self._show(one, names)
            self._position = one.position  # before the next line: what was printed is not printed again
        self._position = step.position


def _printer(*, as_json: bool) -> Callable[[TailLine, Names], None]:
    columns = shutil.get_terminal_size((COLUMNS, 0)).columns

    def show(one: TailLine, names: Names) -> None:
        line = _json_of(one, names) if as_json else line_of(one, names, columns)
        try:
            print(line, flush=True)  # noqa: T201 - cut by itself, and ends where nobody reads
        except BrokenPipeError:
            raise NobodyReads from None

    return show


def _json_of(one: TailLine, names: Names) -> str:
    clinic = assistant = None
    if one.org_id is not None:
        clinic = names[one.org_id, None]
        assistant = names[one.org_id, one.agent_id] if one.agent_id else None
    return to_json(with_more(one, clinic=clinic, assistant=assistant)).decode()


def line_of(one: TailLine, names: Names, columns: int) -> str:
    """When, about whom, and what it says; what does not fit into so many columns is cut."""
    who = "all clinics" if one.org_id is None else _short(str(one.org_id), names[one.org_id, None], CLINIC_CHARACTERS)
    if one.org_id is not None and one.agent_id is not None:
        who += f", {_short(one.agent_id, names[one.org_id, one.agent_id], AGENT_CHARACTERS)}"
    return _cut(f"{one.at.astimezone(UTC):%m-%d %H:%M:%S}  {who}: {printable(one.says)}", columns)


def _short(thing: str, name: str, characters: int) -> str:
    """A name; of an id that is longer than one its beginning."""
    if name == thing and len(thing) > characters:
        return f"{thing[:ID_CHARACTERS]}…"
    return _cut(printable(name), characters)


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"

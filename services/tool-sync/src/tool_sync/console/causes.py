"""Why assistants cannot book, by cause: what *Tonight* begins with."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from tool_sync.console.chart import BIN, Line, day_begins, line
from tool_sync.db import Connection
from tool_sync.queries.coverage import Uncovered, cannot_book, uncovered_of
from tool_sync.queries.failures import (
    Failing,
    FailureCount,
    FailureGroup,
    Which,
    count_failures,
    failing_by_code,
    when_failed,
)
from tool_sync.queries.kept import Connect, Kept, KeptBy
from tool_sync.queries.outcomes import OutcomeTimes, outcome_times
from tool_sync.queries.retries import retry_progress
from zerotouch_contracts.errors import entry_of

LACKING_MAX: Final = 101
COUNTED_MAX: Final = 100_000
"""More failures of one filter are not counted."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why assistants cannot book. ``path``: the page that tells more."""

    title: str
    path: str
    assistants: int
    organizations: int
    since: datetime | None
    who_acts: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Group:
    """The failures of one filter. Not ``is_exact``: there are more than were counted."""

    count: FailureCount
    is_exact: bool
    drawn: Line


async def _group_of(connection: Connection, which: Which) -> Group:
    begins = day_begins(datetime.now(UTC))
    count = await count_failures(connection, which, COUNTED_MAX)
    when = await when_failed(connection, which, since=begins, bin_length=BIN, at_most=COUNTED_MAX)
    return Group(count, count.assistants < COUNTED_MAX, line("Failed", when, begins))


async def _failing_of(connection: Connection) -> tuple[datetime, Failing]:
    begins = day_begins(datetime.now(UTC))
    return begins, await failing_by_code(connection, since=begins, bin_length=BIN)


async def _day_of(connection: Connection) -> tuple[datetime, OutcomeTimes]:
    begins = day_begins(datetime.now(UTC))
    return begins, await outcome_times(connection, begins, BIN)


class Counts:
    """What this process keeps of what is counted over everything. Each is at most as old as it is expensive.

    ``uncovered``: what cannot book without a failure that says why. ``lacking``: who lacks a tool without a failure,
    cut at `LACKING_MAX`. ``retries``: how far a job is that tries failures again, by its correlation id.
    """

    def __init__(self, connect: Connect | None = None) -> None:
        self._failing = Kept(_failing_of, connect=connect)
        self._day = Kept(_day_of, connect=connect)
        self._of_filter = KeptBy(_group_of, connect)
        self.uncovered: Final = Kept(uncovered_of, connect=connect)
        self.lacking: Final = Kept(
            lambda connection: cannot_book(connection, limit=LACKING_MAX, only_lacking=True), connect=connect
        )
        self.retries: Final = KeptBy(retry_progress, connect)

    async def causes(self, connection: Connection, head: int) -> list[Cause]:
        """What concerns most clinics first; after the failures, who cannot book without one."""
        _, failing = await self._failing.at(connection, head)
        return [*map(_of_code, failing.groups), *map(_without_code, await self.uncovered.at(connection, head))]

    async def group(self, which: Which, connection: Connection, head: int) -> Group:
        """How many fail like this, and when they began to."""
        if which != Which(which.code):
            return await self._of_filter.at(which, connection, head)
        begins, failing = await self._failing.at(connection, head)
        return Group(failing.of(which.code), True, line("Failed", failing.began(which.code), begins))

    async def lines(self, connection: Connection, head: int) -> tuple[Line, Line]:
        """The outcomes of the last 24 hours: those that failed, those that synced."""
        begins, times = await self._day.at(connection, head)
        return line("Failed", times.failed, begins), line("Synced", times.synced, begins)


def _of_code(group: FailureGroup) -> Cause:
    code, entry = group.code or "without a code", entry_of(group.code)
    return Cause(
        code if entry is None else f"{code} {entry.title}",
        f"/failures?{urlencode({'code': group.code or ''})}",
        group.assistants,
        group.organizations,
        group.since,
        "developers" if entry is None else entry.who_acts,
        "This release does not know the code: look it up in the newest one." if entry is None else entry.what_to_do,
    )


def _without_code(group: Uncovered) -> Cause:
    if group.is_new:
        title, what_to_do = "saved, and no sync has ended yet", "They wait: the page of what waits says for what."
        return Cause(title, "/waiting", group.assistants, group.organizations, None, "nobody", what_to_do)
    what_to_do = "An order brings it, as fast as Vapi's key allows: look whether a rollout is paused."
    path = "/lacking"
    return Cause("a wanted tool is lacking", path, group.assistants, group.organizations, None, "nobody", what_to_do)

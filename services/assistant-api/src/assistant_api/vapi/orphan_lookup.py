"""Assistants whose creation was never answered, found again by their `metadata`.

Whoever looks, needs the list of what was made lately, and after an outage many look at once. So there is one list at a
time: those who ask while it is under way share the next one. A list serves only who asked before it began.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from assistant_api.document import AgentMarker
from assistant_api.settings import Settings
from assistant_api.vapi.answers import Document, Later
from assistant_api.vapi.client import VapiClient
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.vapi.paging import Window, created_at

ByMark = Mapping[AgentMarker, Sequence[Document]]


@dataclass(slots=True)
class _Round:
    """One list, and all who wait for it: it covers what each of them asks for."""

    start: datetime
    end: datetime | None
    save: bool
    outcome: ByMark | Later | Exception | None = None

    def widen(self, start: datetime, end: datetime | None, *, save: bool) -> None:
        self.start, self.save = min(self.start, start), self.save or save
        self.end = None if self.end is None or end is None else max(self.end, end)


class OrphanLookup:
    """Looks for them; one for a process."""

    def __init__(self, vapi: VapiClient, settings: Settings) -> None:
        self._vapi = vapi
        self._deadline_seconds = settings.vapi_deadline_seconds
        self._margin: Final = timedelta(minutes=settings.lost_create_window_minutes)
        self._open: _Round | None = None
        self._listing = asyncio.Lock()

    async def find(self, mark: AgentMarker, *, age_seconds: float) -> Document | Later | None:
        """The oldest assistant with this mark that was made since shortly before an attempt, or None.

        ``age_seconds`` is how long ago the attempt was.
        """
        found = await self.made_about(mark, age_seconds=age_seconds)
        return found if isinstance(found, Later) else oldest(found)

    async def made_about(
        self, mark: AgentMarker, *, age_seconds: float, after_seconds: float | None = None, save: bool = True
    ) -> Sequence[Document] | Later:
        """All assistants with this mark that were made around an attempt, ``age_seconds`` ago.

        Until ``after_seconds`` after it, or until now where that is not given.
        """
        start, end = self._vapi.clock.around(age_seconds, self._margin, after_seconds=after_seconds)
        found = await self._made_between(start, end, save=save)
        if isinstance(found, Later):
            return found
        return [item for item in found.get(mark, ()) if _was_made_between(item, start, end)]

    async def made_since(self, age_seconds: float) -> ByMark | Later:
        """Whatever was made since shortly before an attempt, ``age_seconds`` ago, and carries a mark."""
        start, end = self._vapi.clock.around(age_seconds, self._margin)
        return await self._made_between(start, end, save=False)

    async def _made_between(self, start: datetime, end: datetime | None, *, save: bool) -> ByMark | Later:
        try:
            async with asyncio.timeout(self._deadline_seconds) as deadline:  # the lease allows for no more
                return await self._shared(start, end, save=save)
        except TimeoutError:
            if not deadline.expired():  # the database's
                raise
            return Later(ErrorCode.VAPI_UNREACHABLE)

    async def _shared(self, start: datetime, end: datetime | None, *, save: bool) -> ByMark | Later:
        if self._open is None:
            self._open = _Round(start, end, save)
        mine = self._open
        mine.widen(start, end, save=save)
        async with self._listing:
            if mine.outcome is None:  # nobody has read it yet, or whoever began was cut off
                if self._open is mine:
                    self._open = None
                mine.outcome = await self._read(mine)
        if isinstance(mine.outcome, Exception):
            raise mine.outcome
        return mine.outcome

    async def _read(self, wanted: _Round) -> ByMark | Later | Exception:
        try:
            found = await self._vapi.created_between(wanted.start, wanted.end, save=wanted.save)
        except Exception as error:  # everybody's, or each would wait for the same database in turn
            return error
        if isinstance(found, Later):
            return found
        by_mark: defaultdict[AgentMarker, list[Document]] = defaultdict(list)
        for item in found:
            if (mark := AgentMarker.of(item)) is not None:
                by_mark[mark].append(item)
        return dict(by_mark)


def oldest(assistants: Iterable[Document]) -> Document | None:
    """The one that was made first; the smaller id where two were made in the same millisecond."""
    return min(assistants, key=lambda item: (str(item.get("createdAt")), str(item.get("id"))), default=None)


def _was_made_between(assistant: Mapping[str, Any], start: datetime, end: datetime | None) -> bool:
    """By its own word; one that does not say lies within what Vapi was asked for."""
    made_at = created_at(assistant)
    return made_at is None or Window(start, end).holds(made_at)

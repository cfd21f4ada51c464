"""The loop: a page of each list of each account where it is due, then single reads of what no list has acquitted.

gone at Vapi ─► an assistant is read again an hour later: its removal may be on its way to us
             ─► are others of ours there? ─► no: the key is another account's, nothing is said
                                          ─► yes: told
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from tool_sync import db
from tool_sync.domain.events import AssistantDriftSeen, ToolDriftEnded, ToolDriftSeen
from tool_sync.log import LogUnavailable, UnknownEvent
from tool_sync.sync.asking import KeyHeld
from tool_sync.sync.auto_sync.assistants import LookVerdict, verdict_of
from tool_sync.sync.auto_sync.pages import Pages
from tool_sync.sync.auto_sync.tools import look_at, rows_of_orgs
from tool_sync.sync.bulk_reads import BulkReads
from tool_sync.sync.context import Context
from tool_sync.sync.looks import Looks
from tool_sync.sync.object_looks import LATE_MEANING, Kind, ObjectLooks, OldestLook, Ours
from tool_sync.sync.walks import Walks
from tool_sync.vapi.failures import VapiFailure
from zerotouch_platform.loops import Loop

SOURCE: Final = "/zerotouch/tool-sync/auto-sync"
KINDS: Final[tuple[Kind, ...]] = ("tool", "assistant")
"""Tools first: what they say of others' tools spares single reads of the assistants that name them."""
READS_PER_ROUND: Final = 50
PAGES_PER_ROUND: Final = 10
STOCK_SECONDS: Final = 300.0
GONE_AFTER: Final = timedelta(minutes=30)
"""So long after it was first missed an assistant counts as deleted by somebody else: its removal comes by Kafka. A tool
of ours that the log still has was deleted by nobody of us."""
SILENT_FOR: Final = timedelta(minutes=1)
CONTROLS: Final = 3
"""Objects of ours, seen lately, that are read beside those that are gone."""
GONE_ALONE_MAX: Final = 4
"""So many are believed to be gone where nothing else of ours was ever seen."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Found:
    ours: Ours
    event: AssistantDriftSeen | ToolDriftSeen | ToolDriftEnded

    @property
    def gone(self) -> bool:
        return not isinstance(self.event, ToolDriftEnded) and self.event.gone


class AutoSync:
    """Any number of processes may run its loop: rows say whose page and whose object it is."""

    def __init__(
        self, context: Context, pool: db.Pool, *, period: timedelta, per_second: float, poll_seconds: float
    ) -> None:
        self._context = context
        self._looks, self._rows = ObjectLooks(pool, period), Looks(pool)
        self._reads = BulkReads(context, SOURCE, per_second, lambda: self.loop.stopping)
        self._held: dict[str, datetime] = {}
        self._stock_at = float("-inf")
        self._was_late = False
        self.loop: Final = Loop(
            self.run_once,
            poll_seconds,
            "Auto-sync waits",
            (LogUnavailable, *db.WAITED_OUT_ERRORS),
            fault="Auto-sync failed for a fault of ours",
        )

    async def run_once(self) -> int:
        """Look at what is due, at most a round of it; returns how many events came of it, as far as it came."""
        if self._context.writes_suspended():
            return 0
        if time.monotonic() - self._stock_at >= STOCK_SECONDS:
            self._say_if_late(await self._looks.take_stock())
            self._stock_at = time.monotonic()
        told = 0
        for kind in KINDS:
            for reads in [self._reads, *map(self._reads.at, await self._context.accounts.usable())]:
                await self._read_pages(reads, kind)
            told += await self._read_by_id(kind)
        return told

    def _say_if_late(self, late: OldestLook | None) -> None:
        if late is not None and not self._was_late:
            log.error(
                "Auto-sync is late", alarm=True, kind=late.kind, id=late.vapi_id, looked_at=late.looked_at.isoformat(),
                meaning=LATE_MEANING,
            )  # fmt: skip
        self._was_late = late is not None

    async def _read_pages(self, reads: BulkReads, kind: Kind) -> None:
        """Of one account's list. Where its key is held, its pages wait, and nobody else's."""
        account = reads.context.vapi.account
        if account in self._held_now():
            return
        pages = Pages(reads, self._looks, Walks(self._looks.pool, account))
        try:
            for _ in range(PAGES_PER_ROUND):
                if not await pages.read_due(kind):
                    return
        except KeyHeld as held:
            self._held[account] = held.until
        except VapiFailure as failure:  # the page is read again, by whoever comes first
            self._hold_silent(reads, failure)
            log.warning("A list at Vapi could not be read", kind=kind, code=failure.code.value, detail=failure.detail)

    async def _read_by_id(self, kind: Kind) -> int:
        """A round of single reads; each stands alone, so that one that fails holds up no other."""
        looked: list[Ours] = []
        missed: list[Ours] = []
        found: list[_Found] = []
        began_at = self._context.clock.now()
        held = self._held_now()
        for ours in await self._looks.take(kind, READS_PER_ROUND, self._context.vapi.account, sorted(held)):
            if (account := self._context.account_of(ours.org_id)) in held:
                continue
            try:
                reads = await self._reads.of(ours.org_id)
                drift = await (self._tool(reads, ours) if kind == "tool" else self._assistant(reads, ours))
            except KeyHeld as key:  # it is paused, or saves need it: there is no hurry here
                self._held[account] = key.until
                held.add(account)
                continue
            except (VapiFailure, UnknownEvent) as error:
                if isinstance(error, VapiFailure):
                    self._hold_silent(reads, error)
                    held = self._held_now()
                log.info("An object could not be looked at", kind=kind, id=ours.vapi_id, error=type(error).__name__)
                continue
            if drift is None:
                looked.append(ours)
            elif kind == "assistant" and drift.gone and not _is_long_missed(ours, began_at):
                missed.append(ours)
            else:
                found.append(drift)
        await self._looks.suspected(kind, missed, began_at)
        for own in {self._context.accounts.name_of(drift.ours.org_id) for drift in found if drift.gone}:
            there = [drift for drift in found if self._context.accounts.name_of(drift.ours.org_id) == own]
            if await self._is_another_account(kind, own, there):
                found = [drift for drift in found if not (drift.gone and drift in there)]
        for drift in found:
            await self._tell(kind, drift)
        await self._looks.looked(kind, [*looked, *(drift.ours for drift in found)], began_at)
        return len(found)

    def _hold_silent(self, reads: BulkReads, failure: VapiFailure) -> None:
        """An account of a clinic's own that does not answer is let rest: each further call would hold up the others'
        looks for its whole deadline."""
        if failure.breaking and reads.context.own_account is not None:
            self._held[reads.context.own_account] = self._context.clock.now() + SILENT_FOR

    def _held_now(self) -> set[str]:
        """The accounts whose key allows nothing now, as far as was seen here."""
        now = self._context.clock.now()
        self._held = {account: until for account, until in self._held.items() if until > now}
        return set(self._held)

    async def _assistant(self, reads: BulkReads, ours: Ours) -> _Found | None:
        verdict = await verdict_of(reads, ours.org_id, ours.name, ours.vapi_id)
        if verdict is LookVerdict.AS_TOLD:
            return None
        return _Found(ours, AssistantDriftSeen(ours.name, ours.vapi_id, verdict is LookVerdict.GONE))

    async def _tool(self, reads: BulkReads, ours: Ours) -> _Found | None:
        rows = await rows_of_orgs(self._looks.pool, [ours.org_id])
        tool = next((row for row in rows if row.name == ours.name and row.vapi_tool_id == ours.vapi_id), None)
        event = None if tool is None else await look_at(reads, tool)
        # A write of ours that came after the row was read makes the document look changed.
        if tool is None or event is None or not await self._rows.is_still(tool):
            return None
        return _Found(ours, event)

    async def _tell(self, kind: Kind, drift: _Found) -> None:
        if isinstance(drift.event, ToolDriftEnded):
            log.info("A tool is as registered again", org_id=str(drift.ours.org_id), name=drift.ours.name)
        else:
            log.warning(
                "Somebody changed what is ours at Vapi", kind=kind, org_id=str(drift.ours.org_id),
                name=drift.ours.name, id=drift.ours.vapi_id, gone=drift.gone,
            )  # fmt: skip
        await self._reads.tell(drift.ours.org_id, drift.event)

    async def _is_another_account(self, kind: Kind, own: str | None, found: Sequence[_Found]) -> bool:
        """Whether nothing of ours is there: then nobody deleted it, and the key is of another account than ``own``."""
        gone = [drift.ours.vapi_id for drift in found if drift.gone]
        controls = await self._looks.controls(kind, gone, CONTROLS, own)
        try:
            reads = await self._reads.of(found[0].ours.org_id)
            there = [await self._is_there(reads, kind, one) for one in controls]
        except KeyHeld:  # nobody can tell now
            return True
        if any(there) or (not controls and len(gone) <= GONE_ALONE_MAX):
            return False
        log.error("Tools of many clinics are gone at Vapi", kind=kind, gone=len(gone), of=len(found), alarm=True)
        return True

    async def _is_there(self, reads: BulkReads, kind: Kind, vapi_id: str) -> bool:
        vapi = reads.context.vapi
        read: Callable[[str], Awaitable[object]] = vapi.get_tool if kind == "tool" else vapi.get_assistant
        try:
            await reads.ask(lambda: read(vapi_id))
        except VapiFailure as failure:
            return failure.status != 404  # no answer says nothing of the account
        return True


def _is_long_missed(ours: Ours, now: datetime) -> bool:
    return ours.suspected_at is not None and now - ours.suspected_at >= GONE_AFTER

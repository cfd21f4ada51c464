"""The loop: a page of each list where it is due, then single reads of what no list has acquitted.

gone at Vapi ─► read again an hour later: its removal may be on its way to us
             ─► are others of ours there? ─► no: the key is another account's, nothing is said
                                          ─► yes: told
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from tool_sync import db
from tool_sync.domain.events import AssistantDriftSeen, OrgEvent, ToolDriftSeen
from tool_sync.log import LogUnavailable, UnknownEvent
from tool_sync.sync.asking import KeyHeld
from tool_sync.sync.auto_sync.assistants import LookVerdict, verdict_of
from tool_sync.sync.auto_sync.pages import Pages
from tool_sync.sync.auto_sync.tools import drift_of, rows_of_orgs
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
"""So long after it was first missed an object counts as deleted by somebody else: a removal comes by Kafka."""
CONTROLS: Final = 3
"""Objects of ours, seen lately, that are read beside those that are gone."""
GONE_ALONE_MAX: Final = 4
"""So many are believed to be gone where nothing else of ours was ever seen."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Found:
    ours: Ours
    event: OrgEvent
    gone: bool


class AutoSync:
    """Any number of processes may run its loop: rows say whose page and whose object it is."""

    def __init__(
        self, context: Context, pool: db.Pool, *, period: timedelta, per_second: float, poll_seconds: float
    ) -> None:
        self._context = context
        self._looks, self._rows = ObjectLooks(pool, period), Looks(pool)
        self._reads = BulkReads(context, SOURCE, per_second, lambda: self.loop.stopping)
        self._pages = Pages(self._reads, self._looks, Walks(pool, context.vapi.account))
        self._stock_at = float("-inf")
        self._was_late = False
        self.loop: Final = Loop(
            self.run_once,
            poll_seconds,
            "Auto-sync waits",
            (LogUnavailable, *db.TRANSIENT_ERRORS),
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
        try:
            for kind in KINDS:
                await self._read_pages(kind)
                told += await self._read_by_id(kind)
        except KeyHeld:  # the key is paused, or saves need it: there is no hurry here
            pass
        return told

    def _say_if_late(self, late: OldestLook | None) -> None:
        if late is not None and not self._was_late:
            log.error(
                "Auto-sync is late", alarm=True, kind=late.kind, id=late.vapi_id, looked_at=late.looked_at.isoformat(),
                meaning=LATE_MEANING,
            )  # fmt: skip
        self._was_late = late is not None

    async def _read_pages(self, kind: Kind) -> None:
        try:
            for _ in range(PAGES_PER_ROUND):
                if not await self._pages.read_due(kind):
                    return
        except VapiFailure as failure:  # the page is read again, by whoever comes first
            log.warning("A list at Vapi could not be read", kind=kind, code=failure.code.value, detail=failure.detail)

    async def _read_by_id(self, kind: Kind) -> int:
        """A round of single reads; each stands alone, so that one that fails holds up no other."""
        looked: list[Ours] = []
        missed: list[Ours] = []
        found: list[_Found] = []
        began_at = self._context.clock.now()
        for ours in await self._looks.take(kind, READS_PER_ROUND):
            try:
                drift = await (self._tool(ours) if kind == "tool" else self._assistant(ours))
            except (VapiFailure, UnknownEvent) as error:
                log.info("An object could not be looked at", kind=kind, id=ours.vapi_id, error=type(error).__name__)
                continue
            if drift is None:
                looked.append(ours)
            elif drift.gone and (ours.suspected_at is None or began_at - ours.suspected_at < GONE_AFTER):
                missed.append(ours)
            else:
                found.append(drift)
        await self._looks.suspected(kind, missed, began_at)
        if any(drift.gone for drift in found) and await self._is_another_account(kind, found):
            found = [drift for drift in found if not drift.gone]
        for drift in found:
            await self._tell(kind, drift)
        await self._looks.looked(kind, [*looked, *(drift.ours for drift in found)], began_at)
        return len(found)

    async def _assistant(self, ours: Ours) -> _Found | None:
        verdict = await verdict_of(self._reads, ours.org_id, ours.name, ours.vapi_id)
        if verdict is LookVerdict.AS_TOLD:
            return None
        gone = verdict is LookVerdict.GONE
        return _Found(ours, AssistantDriftSeen(ours.name, ours.vapi_id, gone), gone)

    async def _tool(self, ours: Ours) -> _Found | None:
        rows = await rows_of_orgs(self._looks.pool, [ours.org_id])
        tool = next((row for row in rows if row.name == ours.name and row.vapi_tool_id == ours.vapi_id), None)
        gone = None if tool is None else await drift_of(self._reads, tool)
        # A write of ours that came after the row was read makes the document look changed.
        if tool is None or gone is None or not await self._rows.is_still(tool):
            return None
        account = self._context.vapi.account
        return _Found(ours, ToolDriftSeen(account, tool.name, tool.vapi_tool_id, gone), gone)

    async def _tell(self, kind: Kind, drift: _Found) -> None:
        log.warning(
            "Somebody changed what is ours at Vapi", kind=kind, org_id=str(drift.ours.org_id), name=drift.ours.name,
            id=drift.ours.vapi_id, gone=drift.gone,
        )  # fmt: skip
        await self._reads.tell(drift.ours.org_id, drift.event)

    async def _is_another_account(self, kind: Kind, found: Sequence[_Found]) -> bool:
        """Whether nothing of ours is there: then nobody deleted it, and the key is of another account."""
        gone = [drift.ours.vapi_id for drift in found if drift.gone]
        controls = await self._looks.controls(kind, gone, CONTROLS)
        there = [await self._is_there(kind, one) for one in controls]
        if any(there) or (not controls and len(gone) <= GONE_ALONE_MAX):
            return False
        log.error("Tools of many clinics are gone at Vapi", kind=kind, gone=len(gone), of=len(found), alarm=True)
        return True

    async def _is_there(self, kind: Kind, vapi_id: str) -> bool:
        vapi = self._context.vapi
        read: Callable[[str], Awaitable[object]] = vapi.get_tool if kind == "tool" else vapi.get_assistant
        try:
            await self._reads.ask(lambda: read(vapi_id))
        except VapiFailure as failure:
            return failure.status != 404  # no answer says nothing of the account
        return True

"""Looks at Vapi off the path of saves, as bulk: what no save would notice, because nothing of ours had changed.

    every assistant, once a day                     does an explicit traffic split keep callers from our links?
    an org's tools, soon after a save was settled   did somebody delete or change one of them?

`auto_sync` looks at everything else once in a period.
What is found becomes an event of the org's stream, only where it differs from what is known; the org's own run does the
rest. A look that is lost with its process is made the next day. One account has one beta: a 403 ends the day's looks at
its splits. An account whose key is held is passed over, and nobody else's look waits for it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog

from tool_sync import db
from tool_sync.domain.events import ToolDriftEnded, ToolDriftSeen, TrafficSplitSeen
from tool_sync.log import LogUnavailable
from tool_sync.sync.asking import KeyHeld
from tool_sync.sync.auto_sync.tools import look_at
from tool_sync.sync.bulk_reads import BulkReads
from tool_sync.sync.context import Context
from tool_sync.sync.looks import AssistantLook, Looks, ToolLook
from tool_sync.vapi.failures import VapiFailure
from zerotouch_platform.loops import Loop

SOURCE: Final = "/zerotouch/tool-sync/survey"
LOOKS_PER_ROUND: Final = 50
SETTLED_MAX: Final = 1000
"""Orgs whose save was settled and that are to be looked at soon; beyond that the daily look will do."""
GONE_TOOLS_MIN: Final = 5
"""So many of a round's tools missing, and more than half: that is another account's key, not so many accidents."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SurveyPace:
    """How much is looked at: a ceiling that leaves the key and the CPU to saves, far above what a day needs."""

    looks_per_second: float = 5.0
    poll_seconds: float = 30.0
    settled_seconds: float = 10.0
    """How long after a save was settled its org's tools are looked at: what a doctor does comes in bursts."""


class Survey:
    """Any number of processes may run its loop. :meth:`settled` is told of orgs whose save was settled."""

    def __init__(self, context: Context, looks: Looks, concurrency: SurveyPace) -> None:
        self._context, self._looks, self._concurrency = context, looks, concurrency
        self._settled: dict[UUID, float] = {}
        self._reads = BulkReads(context, SOURCE, concurrency.looks_per_second, lambda: self.loop.stopping)
        self.loop: Final = Loop(
            self.run_once,
            self._pause_seconds,
            "Survey waits",
            (LogUnavailable, *db.WAITED_OUT_ERRORS),
            fault="Survey failed for a fault of ours",
        )

    def settled(self, org_id: UUID) -> None:
        """A save of this org was settled: its tools are looked at soon, unless they were just made."""
        if len(self._settled) < SETTLED_MAX:
            self._settled.setdefault(org_id, self._context.clock.monotonic() + self._concurrency.settled_seconds)

    async def run_once(self) -> int:
        """Look at what is due, at most a round of it; returns how many events came of it, as far as it came."""
        if self._context.writes_suspended():
            return 0
        found = await self._look_at_tools(await self._looks.due_tools(self._due_orgs(), LOOKS_PER_ROUND))
        splits = await self._looks.due_splits(self._context.vapi.account, LOOKS_PER_ROUND)
        return found + await self._look_at_splits(splits)

    def _due_orgs(self) -> list[UUID]:
        now = self._context.clock.monotonic()
        due = [org_id for org_id, at in self._settled.items() if at <= now]
        for org_id in due:
            del self._settled[org_id]
        return due

    async def _look_at_tools(self, tools: list[ToolLook]) -> int:
        found: list[tuple[UUID, ToolDriftSeen | ToolDriftEnded]] = []
        held = set[str]()  # such an account's key is paused, or its saves need it: there is no hurry here
        by_account = Counter(self._context.account_of(tool.org_id) for tool in tools)
        for tool in tools:
            if (account := self._context.account_of(tool.org_id)) in held:
                continue
            try:
                event = await look_at(await self._reads.of(tool.org_id), tool)
            except KeyHeld:
                held.add(account)
                continue
            except VapiFailure as failure:  # nobody can tell now
                if failure.breaking and self._is_own(tool.org_id):
                    held.add(account)  # each further call would hold up the others' looks for its whole deadline
                continue
            if event is not None and await self._looks.is_still(tool):
                found.append((tool.org_id, event))
        gone = Counter(
            self._context.account_of(org_id)
            for org_id, event in found
            if isinstance(event, ToolDriftSeen) and event.gone
        )
        strange = {name for name, n in gone.items() if n >= GONE_TOOLS_MIN and n * 2 > by_account[name]}
        for name in strange:
            log.error(
                "Tools of many clinics are gone at Vapi", account=name, gone=gone[name], of=by_account[name], alarm=True
            )
        found = [(org_id, event) for org_id, event in found if self._context.account_of(org_id) not in strange]
        for org_id, event in found:
            if isinstance(event, ToolDriftSeen):
                log.warning("A tool was changed at Vapi", org_id=str(org_id), tool=event.name, gone=event.gone)
            await self._reads.tell(org_id, event)
        return len(found)

    async def _look_at_splits(self, assistants: list[AssistantLook]) -> int:
        found, held = 0, set[str]()
        for assistant in assistants:
            if (account := self._context.account_of(assistant.org_id)) in held:
                continue
            try:
                allocation = await _allocation(await self._reads.of(assistant.org_id), assistant)
            except KeyHeld:
                held.add(account)
                continue
            except VapiFailure as failure:
                if failure.no_beta_access:
                    await self._looks.no_splits_today(account)
                if failure.no_beta_access or (failure.breaking and self._is_own(assistant.org_id)):
                    held.add(account)
                continue
            versions = versions_of(allocation)
            if versions != assistant.split:
                event = TrafficSplitSeen(assistant.agent_id, assistant.assistant_id, versions)
                log.info("A traffic split changed", org_id=str(assistant.org_id), agent_id=assistant.agent_id)
                await self._reads.tell(assistant.org_id, event)
                found += 1
        return found

    def _is_own(self, org_id: UUID) -> bool:
        return self._context.accounts.name_of(org_id) is not None

    def _pause_seconds(self) -> float:
        pace = self._concurrency
        return min(pace.poll_seconds, pace.settled_seconds / 2) if self._settled else pace.poll_seconds


async def _allocation(reads: BulkReads, assistant: AssistantLook) -> Mapping[str, Any] | None:
    return await reads.ask(lambda: reads.context.vapi.traffic_allocation(assistant.assistant_id))


def versions_of(allocation: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """The labels of the versions that an explicit split sends calls to, sorted; None where all go to the newest.

    A target of 0 % keeps its version in the split without sending it calls (docs.vapi.ai, traffic splitting, 2026-11).
    """
    if allocation is None or allocation.get("allocationIntent") != "explicit":
        return None
    targets = allocation.get("targets")
    found = {
        str(target.get("assistantVersion"))[:64]
        for target in (targets if isinstance(targets, list) else ())
        if isinstance(target, Mapping) and target.get("percentage") != 0
    }
    return tuple(sorted(found))

"""The event log that the simulated workers write to, and what is watched as they do."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tool_sync.domain import events as e
from tool_sync.log import (
    Appended,
    AppendRejected,
    AppendRequest,
    AppendResult,
    Duplicate,
    Loaded,
    LoadedAll,
    LogUnavailable,
    Snapshot,
)

from .checks import Checks
from .database import Database
from .faults import Faults
from .ports import Ports
from .process import process_of_current_task

AWAY_SECONDS = 15.0


@dataclass(slots=True)
class Stalls:
    """When each process stood still or waited for the log: what is in flight then is in flight for longer."""

    spans: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def note(self, process: str, begin: float, end: float) -> None:
        """It did nothing from then to then."""
        self.spans[process].append((begin, end))

    def seconds(self, process: str, begin: float, end: float) -> float:
        """How long of this time it stood still, at most."""
        return sum(max(0.0, min(end, until) - max(begin, since)) for since, until in self.spans[process])


class SimLog(Ports):
    """The event log. ``stored_before``: attempts whose announcement was answered with `Duplicate`.

    ``written_by``: by event id, the name of the process that has written it; ``stalls``: when each stood still.
    ``on_written`` is told of each event of a clinic, and who has written it.
    """

    def __init__(self, database: Database, faults: Faults, checks: Checks) -> None:
        super().__init__(database, faults, checks)
        self.on_written: Callable[[str, UUID, Any], None] = lambda _writer, _org_id, _event: None
        self.stored_before: set[UUID] = set()
        self.written_by: dict[UUID, str] = {}
        self.stalls = Stalls()

    async def append(self, request: AppendRequest) -> AppendResult:
        """Store, or not, and answer, or not."""
        fault = self.faults.log()
        await self.on_the_way()
        if fault == "unavailable":
            await self._is_away()
            raise LogUnavailable(request.stream, 15.0, "simulated: nothing was stored")
        result = self.database.append(request, self.now)
        if isinstance(result, Appended):
            self._watch(request)
        await self.on_the_way()
        if fault == "lost_commit":
            await self._is_away()
            raise LogUnavailable(request.stream, 15.0, "simulated: it was stored")
        if fault == "sent_again" and isinstance(result, Appended):
            await self.on_the_way()
            again = self.database.append(request, self.now)
            assert isinstance(again, Duplicate)
            self.stored_before |= {
                attempt_id
                for new in request.events
                if type(new.event).__name__.endswith("Started")
                and (attempt_id := getattr(new.event, "attempt_id", None)) is not None
            }
            self.checks.reached["duplicate"] += 1
            return again
        if not isinstance(result, Appended):
            self.checks.reached[type(result).__name__.lower()] += 1
        return result

    async def append_all(self, requests: Sequence[AppendRequest]) -> Sequence[AppendResult | AppendRejected]:
        """One after another; nothing is ever rejected here."""
        return [await self.append(request) for request in requests]

    async def _is_away(self) -> None:
        """Nothing is answered; whatever the process wants to write meanwhile waits, too."""
        writer = process_of_current_task()
        if writer is not None:
            self.stalls.note(writer.name, self.now, self.now + AWAY_SECONDS)
        await asyncio.sleep(AWAY_SECONDS)

    def _watch(self, request: AppendRequest) -> None:
        org_id, writer = request.org_id, process_of_current_task()
        for new in request.events:
            self.checks.tells(self.now, request.stream if org_id is None else str(org_id), new.event)
        if org_id is None:
            return
        for new in request.events:
            event = new.event
            self.written_by[new.event_id] = writer.name if writer is not None else ""
            self.checks.holds(self.now, org_id, event)
            self.on_written(self.written_by[new.event_id], org_id, event)
            match event:
                case e.AssistantSynced() | e.AssistantSyncFailed():
                    for settled in event.requests:
                        self.checks.settles(self.now, settled.request_id)
                    if event.sequence is not None:
                        self.checks.numbers(self.now, org_id, event.sequence)
                    if isinstance(event, e.AssistantSynced) and event.cause is not None:
                        self.checks.reached[f"cause {event.cause}"] += 1
                    if isinstance(event, e.AssistantSyncFailed):
                        self.checks.reached[f"failed {event.code}"] += 1
                    self._tell(org_id, event)
                case e.AssistantDiverged(sequence=sequence):
                    self.checks.numbers(self.now, org_id, sequence)
                    self.checks.reached["diverged"] += 1
                case e.ToolRegistered(adopted=True):
                    self.checks.reached["adopted"] += 1
                case e.SyncAttemptFailed(end=end, code=code):
                    self.checks.reached[f"attempt {end} {code}"] += 1
                case _:
                    self.checks.reached[type(event).__name__] += 1

    def _tell(self, org_id: UUID, event: e.AssistantSynced | e.AssistantSyncFailed) -> None:
        if event.agent_id is None:
            return
        before = self.checks.newest_word.get((org_id, event.agent_id))
        if not event.requests and _word(event) is not None and _word(event) == _word(before):
            self.checks.violated(self.now, f"{event.agent_id} is told again what it was told last: {event}")
        self.checks.newest_word[org_id, event.agent_id] = event

    async def load(self, org_ids: Sequence[UUID], *, fold: int, fleet_after: int) -> LoadedAll:
        """Snapshot and tail of each org, and what is new of the fleet, as of one moment."""
        await self._read()
        fleet = tuple(s for s in self.database.fleet if s.position > fleet_after)
        found: dict[UUID, Loaded] = {}
        for org_id in org_ids:
            snapshot = self.database.snapshots.get((org_id, fold))
            after = snapshot.position if snapshot is not None else 0
            found[org_id] = Loaded(
                snapshot, tuple(s for s in self.database.by_org.get(org_id, ()) if s.position > after)
            )
        await self.on_the_way()
        return LoadedAll(found, fleet)

    async def _read(self) -> None:
        await self.on_the_way()
        if self.faults.hits("store_away"):
            raise ConnectionResetError("simulated: the database is away")

    async def save_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """Keep the newest of each org and fold, and of the other folds that which is furthest."""
        await self._read()
        kept = self.database.snapshots
        for snapshot in snapshots:
            own = (snapshot.org_id, snapshot.fold)
            if own not in kept or kept[own].position < snapshot.position:
                kept[own] = snapshot
            others = sorted(
                (s for (org_id, fold), s in kept.items() if org_id == snapshot.org_id and fold != snapshot.fold),
                key=lambda s: (s.position, s.fold),
            )
            for other in others[:-1]:
                del kept[other.org_id, other.fold]


def _word(event: object) -> object:
    """What an outcome says to whoever hears it, where it says that its callers reach these tools."""
    if not isinstance(event, e.AssistantSynced) or event.sequence is None:
        return None
    return event.assistant_id, [tool.vapi_tool_id for tool in event.tools], event.reason

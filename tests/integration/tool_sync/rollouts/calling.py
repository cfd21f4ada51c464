"""Calls of tools as assistant-api publishes them, and dry runs as it answers them, for one feeder over a real log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aiokafka import ConsumerRecord

from tool_sync.domain.events import RolloutStage
from tool_sync.domain.events.rollout import RINGS
from tool_sync.domain.fleet import Version
from tool_sync.rollouts.call_intake import CallIntake
from tool_sync.rollouts.dry_run import Passed, Tried
from tool_sync.rollouts.feeder import Feeder
from tool_sync.rollouts.gate_calls import counted
from tool_sync.rollouts.gates import Gates
from zerotouch_contracts.envelope import to_record
from zerotouch_contracts.events import ToolCallHandled

from .limits import BOOKING
from .world import World


def judged(orgs: Sequence[UUID], calls: int = 40, hours: int = 12) -> tuple[RolloutStage, ...]:
    """A stage of these clinics with a gate on calls, and then everybody."""
    canaries = RolloutStage("canaries", orgs=tuple(map(str, orgs)), gate_calls=calls, gate_hours=hours)
    return canaries, RolloutStage("all", RINGS)


class Asked:
    """assistant-api, as a dry run meets it: what it was asked for, and what it answers."""

    def __init__(self) -> None:
        self.answer: Tried = Passed()
        self.clinics: list[UUID] = []

    async def ask(self, org_id: UUID, _version: Version, _today: date) -> Tried:
        self.clinics.append(org_id)
        return self.answer


@dataclass
class Calls:
    """The topic, one partition of it, and whoever reads it."""

    world: World
    intake: CallIntake
    asked: Asked = field(default_factory=Asked)
    behind_seconds: float = 0.0
    records: list[Any] = field(default_factory=list)

    def feeder(self, *, tries: bool = True) -> Feeder:
        """One whose gates look at these calls, and ask for dry runs."""
        world = self.world
        asked: Any = self.asked if tries else None
        gates = Gates(world.context, world.pool, asked, lambda: self.behind_seconds)
        return Feeder(world.context, world.pool, on_fed=lambda: None, gates=gates)

    def call(
        self,
        org_id: UUID,
        version: int | None,
        code: str = "booked",
        *,
        at: datetime | None = None,
        message_id: UUID | None = None,
        tool: str = BOOKING,
    ) -> Any:
        """A record of the topic."""
        message = ToolCallHandled(org_id=org_id, tool=tool, definition_version=version, code=code, duration_ms=1)
        made = to_record(message, id=message_id or uuid4(), time=at or self.now(), log_id=uuid4())
        place = len(self.records)
        record = ConsumerRecord("calls", 0, place, 0, 0, made.key, made.value, None, 0, 0, made.headers)
        self.records.append(record)
        return record

    def now(self, before: timedelta = timedelta()) -> datetime:
        """The database's time, or so long before it."""
        return self.world.context.clock.now() - before

    async def hear(self, org_id: UUID, version: int | None, code: str = "booked", count: int = 1, **how: Any) -> None:
        """So many calls of a clinic, read."""
        await self.intake.handle([self.call(org_id, version, code, **how) for _ in range(count)])

    async def counted(self, rollout_id: str) -> tuple[int, int, int, int]:
        """Calls and failures of the new version, and of the others."""
        order = (await self.world.fleet()).order(rollout_id)
        assert order is not None
        new, old = await counted(self.world.pool, order.judged_position)
        return new.total, new.failed, old.total, old.failed

    async def last(self, kind: str) -> dict[str, Any]:
        """The newest event of a type, as it is stored."""
        select = "SELECT data FROM events WHERE type = $1 ORDER BY position DESC LIMIT 1"
        found: dict[str, Any] = await self.world.connection.fetchval(select, kind)
        return found

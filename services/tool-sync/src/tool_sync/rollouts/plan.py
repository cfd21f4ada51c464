"""What an order would do, clinic by clinic, by the same rules as the order itself: nothing is sent."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import uuid4

from pydantic_core import to_json

from tool_sync.db import Connection
from tool_sync.domain.events import RolloutPlanned, RolloutStage
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.domain.fleet.decide import contains, decide_tool
from tool_sync.domain.fleet.work import Tally, Work, work_of
from tool_sync.log.head import read_head
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts.facts import ClinicGroup, groups_of

_NOW: Final = "SELECT clock_timestamp()"
UNTRUE_SHARE_MAX: Final = 0.05
"""Of a plan's clinics: where more have changed since, it is another plan."""
DIGEST_CHARACTERS: Final = 8
ID_CHARACTERS: Final = 8
"""Of a rollout: people type it. Planning claims it, as its stream must be new."""


@dataclass(slots=True)
class Planned:
    """An order as it would be, and what follows from it by stage; ``outside``: clinics that no stage holds."""

    order: Order
    fleet: Fleet
    as_of: int
    at: datetime
    tally: Tally = field(default_factory=Tally)
    stages: tuple[Tally, ...] = ()
    outside: int = 0
    digest: str = ""

    @property
    def event(self) -> RolloutPlanned:
        """The plan, to be kept until it is applied."""
        order = self.order
        return RolloutPlanned(
            order.rollout_id, order.tool, order.version, order.stages, self.tally.counts, self.as_of, self.digest
        )


async def make_plan(
    connection: Connection,
    tool: str,
    version: int | None,
    stages: tuple[RolloutStage, ...],
    rollout_id: str | None = None,
) -> Planned:
    """Count every clinic, in one snapshot of the database."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        fleet = await fleet_of(connection)
        head, now = await read_head(connection), await connection.fetchval(_NOW)
        planned = _ordered(fleet, tool, version, stages, rollout_id or uuid4().hex[:ID_CHARACTERS], now, head)
        groups = await groups_of(connection, tool, planned.fleet.orders[tool])
    pairs: dict[Work, int] = {}
    for group in groups:
        if (work := _take_in(planned, group)) is not None:
            pairs[work] = pairs.get(work, 0) ^ group.fingerprint
    said = to_json([tool, version, stages, sorted(pairs.items())])
    planned.digest = sha256(said).hexdigest()[:DIGEST_CHARACTERS]
    return planned


def _ordered(
    fleet: Fleet,
    tool: str,
    version: int | None,
    stages: tuple[RolloutStage, ...],
    rollout_id: str,
    at: datetime,
    head: int,
) -> Planned:
    """The order with all its stages open, and the fleet with it."""
    order = Order(
        rollout_id, tool, version, stages, fleet.position + 1, at, None, "", open_stage=len(stages) - 1, opened_at=at
    )
    orders = {**fleet.orders, tool: (*fleet.orders.get(tool, ()), order)}
    as_of = max(head, fleet.position)
    return Planned(order, replace(fleet, orders=orders), as_of, at, stages=tuple(Tally() for _ in stages))


def _take_in(planned: Planned, group: ClinicGroup) -> Work | None:
    """Count a group; None where the order does not hold it."""
    order, facts = planned.order, group.member
    made = decide_tool(facts.clinic, planned.fleet, order.tool)
    if made.order is None or made.order.rollout_id != order.rollout_id:
        planned.outside += group.clinics
        return None
    work = work_of(facts, planned.fleet, order.tool)
    stage = next(number for number, stage in enumerate(order.stages) if contains(stage, facts.clinic))
    for tally in (planned.tally, planned.stages[stage]):
        tally.add(work, group.clinics, group.assistants)
    return work


def untrue_share(before: RolloutPlanned, now: Planned) -> float:
    """How much of a plan is not true any more: clinics that have moved to other work, of all that it counts."""
    was, found = before.counts, now.tally.counts
    if before.digest == now.digest:
        return 0.0
    pairs = ((was.update, found.update), (was.add, found.add), (was.remove, found.remove), (was.already, found.already))
    total = was.update + was.add + was.remove + was.already + was.left
    moved = max(sum(max(a - b, 0) for a, b in pairs), sum(max(b - a, 0) for a, b in pairs))
    return moved / max(total, 1)

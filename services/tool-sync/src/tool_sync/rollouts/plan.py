"""What an order would do, clinic by clinic, by the same rules as the order itself: nothing is sent."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

from pydantic_core import to_json

from tool_sync.db import Connection, read_now
from tool_sync.domain.events import RolloutPlanned, RolloutStage
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.domain.fleet.decide import contains, decide_tool
from tool_sync.domain.fleet.work import Tally, Work, is_there, left_by, waits_for_window, work_of
from tool_sync.log.head import read_head
from tool_sync.queries.as_of import fleet_of
from tool_sync.rollouts.facts import ClinicGroup, groups_of
from tool_sync.rollouts.plan_gates import plan_gates
from tool_sync.sync.object_looks import OldestLook, oldest_look

_WORDS_NOT_OPEN: Final = """
SELECT part, count(*) AS clinics FROM org_tool_settings, jsonb_object_keys(custom_config) AS part
 WHERE tool_name = $1 AND custom_config <> '{}' AND part <> ALL ($2::text[]) GROUP BY part ORDER BY part
"""
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
    words_not_open: Mapping[str, int] = field(default_factory=dict)
    """By part: clinics of any stage that have words for it, which the version does not declare open."""
    oldest_look: OldestLook | None = None
    """At Vapi, of all that is ours: so old is what the plan says of assistants, at most."""

    @property
    def event(self) -> RolloutPlanned:
        """The plan, to be kept until it is applied."""
        order = self.order
        return RolloutPlanned(
            order.rollout_id, order.tool, order.version, order.stages, self.tally.counts, self.as_of, self.digest
        )

    def document(self, per_minute: int | None) -> dict[str, Any]:
        """The plan for a script; ``per_minute``: the calls that a forecast reckons with."""
        calls = self.tally.counts.calls
        return {
            **asdict(self.event),
            "clinics": self.tally.clinics,
            "assistants": self.tally.assistants,
            "windows_closed": self.tally.windows_closed,
            "left_by": self.tally.left_by,
            "trouble": self.tally.trouble,
            "words_not_open": self.words_not_open,
            "oldest_look": None if self.oldest_look is None else self.oldest_look.looked_at,
            "gates": [line.split(maxsplit=1)[1] for line in plan_gates(self.order)],
            "stage_clinics": [sum(stage.clinics.values()) for stage in self.stages],
            "outside": self.outside,
            "floor_seconds": None if per_minute is None else calls / per_minute * 60,
        }


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
        head, now = await read_head(connection), await read_now(connection)
        planned = _ordered(fleet, tool, version, stages, rollout_id or uuid4().hex[:ID_CHARACTERS], now, head)
        groups = await groups_of(connection, tool, planned.fleet.orders[tool], now)
        planned.words_not_open = await _words_not_open(connection, planned)
        planned.oldest_look = await oldest_look(connection)
    pairs: dict[Work, int] = {}
    for group in groups:
        if (work := _take_in(planned, group)) is not None:
            pairs[work] = pairs.get(work, 0) ^ group.fingerprint
    said = to_json([tool, version, stages, sorted(pairs.items())])
    planned.digest = sha256(said).hexdigest()[:DIGEST_CHARACTERS]
    return planned


async def _words_not_open(connection: Connection, planned: Planned) -> dict[str, int]:
    version = planned.order.gives
    if version is None:
        return {}
    rows = await connection.fetch(_WORDS_NOT_OPEN, planned.order.tool, list(version.open))
    return {row["part"]: row["clinics"] for row in rows}


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
    gives = None if version is None else fleet.versions[tool].get(version)
    order = Order(
        rollout_id, tool, version, stages, fleet.position + 1, at, None, "", open_stage=len(stages) - 1, opened_at=at,
        gives=gives,
    )  # fmt: skip
    orders = {**fleet.orders, tool: (*fleet.orders.get(tool, ()), order)}
    as_of = max(head, fleet.position)
    return Planned(order, replace(fleet, orders=orders), as_of, at, stages=tuple(Tally() for _ in stages))


def _take_in(planned: Planned, group: ClinicGroup) -> Work | None:
    """Count a group; None where the order does not hold it."""
    # A clinic whose window is closed now gets the order when it opens: so the plan is the same at any time of day.
    order, facts = planned.order, group.member.once_open
    made = decide_tool(facts.clinic, planned.fleet, order.tool)
    if made.order is None or made.order.rollout_id != order.rollout_id:
        planned.outside += group.clinics
        return None
    # What a pin asks for is no work of the order's: the clinic stays, or goes back, to what it is pinned to.
    work = "left" if made.pin is not None else work_of(facts, planned.fleet, order.tool)
    stage = next(number for number, stage in enumerate(order.stages) if contains(stage, facts.clinic))
    there = made.version is not None and is_there(facts, made.version.definition_hash)
    for tally in (planned.tally, planned.stages[stage]):
        tally.add(work, group.clinics, group.assistants, is_there=there, rule=left_by(made), trouble=facts.trouble)
        if waits_for_window(group.member, planned.fleet, order.tool):
            tally.windows_closed += group.clinics
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

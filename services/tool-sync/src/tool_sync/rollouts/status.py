"""How far orders have come: from the fleet and counts of the tables, never from a walk over all clinics."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from tool_sync.db import Connection
from tool_sync.domain.change_window import local_time
from tool_sync.domain.events import PlanCounts, RolloutStage
from tool_sync.domain.fleet import Fleet, Order, OrderState
from tool_sync.domain.fleet.state import LastWord
from tool_sync.rollouts.turns import waits, windows

NOT_OPEN: Final = "not open yet"
"""In the place of a stage's name, where the gate of the first one has not opened."""

_DONE: Final = """
SELECT count(*) FILTER (WHERE NOT enabled) AS lacking,
       count(*) FILTER (WHERE enabled AND definition_hash = $3) AS having
  FROM org_tools WHERE tool_name = $1 AND rollout_id = $2
"""
# Of pins to another definition than the order's: to its own one a clinic would be as ordered.
_PINNED: Final = """
SELECT count(*) FROM org_tool_pins p JOIN organizations o ON o.id = p.org_id AND NOT o.closed
 WHERE p.tool_name = $1 AND p.version IS NOT NULL AND p.definition_hash IS DISTINCT FROM $2
"""
_REFUSED: Final = """
SELECT count(*) FROM tool_refusals WHERE tool_name = $1 AND code IS NOT NULL AND definition_hash = $2
"""

# Of what the tables know: what Vapi has beside it is not linked by us.
_LINKED: Final = """
SELECT count(DISTINCT t.org_id) AS clinics, count(a.agent_id) AS assistants
  FROM org_tools t LEFT JOIN assistants a ON a.org_id = t.org_id AND NOT a.removed
 WHERE t.tool_name = $1 AND t.enabled
"""


@dataclass(frozen=True, slots=True)
class RolloutStatus:
    """One order. ``stage``: from 1; 0 where none is open.

    ``clinics``: that have its version, by an order to none those that lost the tool by it. ``refused``: whose tool Vapi
    refuses for good. ``pinned``: that are pinned to another version of the tool, of all clinics.

    ``waits``: what the next stage waits for, as of the feeder's last turn; None where it waits for clinics alone.
    ``windows``: clinics that get or lose the tool when their change windows open, and when the first does; None where
    none waits. ``reason`` is why it was started, ``last_word`` what was said of it last.
    """

    rollout_id: str
    tool: str
    version: int | None
    state: OrderState
    stage: int
    stages: int
    stage_name: str
    started_at: datetime
    clinics: int
    refused: int
    waits: str | None
    reason: str
    pinned: int = 0
    windows: str | None = None
    last_word: LastWord | None = None


async def status_of(connection: Connection, fleet: Fleet, order: Order, *, clinics: int | None = None) -> RolloutStatus:
    """As of now. ``clinics``: that have its version, where somebody has counted them; counting reads every row."""
    version = order.gives
    given_hash = None if version is None else version.definition_hash
    if clinics is None:
        counts = await connection.fetchrow(_DONE, order.tool, order.rollout_id, given_hash)
        assert counts is not None
        clinics = counts["having"] if order.version is not None else counts["lacking"]
    pinned = await connection.fetchval(_PINNED, order.tool, given_hash) if order.is_standing else 0
    refused = 0 if version is None else await connection.fetchval(_REFUSED, order.tool, version.definition_hash)
    return RolloutStatus(
        order.rollout_id,
        order.tool,
        order.version,
        order.state,
        order.open_stage + 1,
        len(order.stages),
        order.stages[order.open_stage].name if order.open_stage >= 0 else NOT_OPEN,
        order.started_at,
        clinics,
        refused,
        await waits(connection, order.tool) if order.is_open else None,
        order.reason,
        pinned,
        said_of_windows(await windows(connection, order.tool)) if order is _newest(fleet, order.tool) else None,
        order.last_word,
    )


def _newest(fleet: Fleet, tool: str) -> Order | None:
    """The order that clinics wait for: an older one has nothing more to give."""
    return next((order for order in reversed(fleet.orders.get(tool, ())) if order.is_standing), None)


def said_of_windows(found: tuple[int, datetime, str] | None) -> str | None:
    """Who waits for a change window, in words."""
    if found is None or not found[0]:
        return None
    clinics, opens_at, time_zone = found
    first = f"opens {local_time(opens_at, time_zone)}"
    if clinics == 1:
        return f"1 clinic waits for its window, {first}"
    return f"{clinics:,} clinics wait for their windows, the first {first}"


async def statuses_of(connection: Connection, fleet: Fleet) -> tuple[RolloutStatus, ...]:
    """Every order, newest first."""
    return tuple([await status_of(connection, fleet, order) for order in newest_first(fleet)])


def newest_first(fleet: Fleet) -> list[Order]:
    """The orders of all tools."""
    return sorted((order for orders in fleet.orders.values() for order in orders), key=lambda order: -order.position)


def state_text(one: RolloutStatus) -> str:
    """The state; and whose word it was and why, where a person said so."""
    state, word = one.state.replace("_", " "), one.last_word
    if word is None or word.cause not in ("command", "promoted"):
        return state
    running = {"command": "resumed ", "promoted": "a stage promoted "}
    what = running[word.cause] if one.state == "running" else "promoted " if word.cause == "promoted" else ""
    return f'{state}, {what}by {word.by}: "{word.reason}"'


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A plan that was not applied."""

    rollout_id: str
    tool: str
    version: int | None
    stages: tuple[RolloutStage, ...]
    counts: PlanCounts
    as_of: int
    digest: str
    planned_at: datetime
    state: Literal["planned"] = "planned"


def plans_of(fleet: Fleet) -> tuple[KeptPlan, ...]:
    """The plans that were not applied, oldest first."""
    return tuple(
        KeptPlan(plan.rollout_id, plan.tool, plan.version, plan.stages, plan.counts, plan.as_of, plan.digest, at)
        for plan, at in fleet.plans.values()
    )


async def linked(connection: Connection, tool: str) -> tuple[int, int]:
    """How many clinics have the tool, and how many assistants these have."""
    row = await connection.fetchrow(_LINKED, tool)
    assert row is not None
    return row["clinics"], row["assistants"]

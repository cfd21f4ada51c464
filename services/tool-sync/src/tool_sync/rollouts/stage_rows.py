"""The stages of an order, in words: who is in each, what opens the next one, and how far it is."""

from dataclasses import dataclass

from tool_sync.domain.events import RolloutStage
from tool_sync.domain.events.rollout import RINGS
from tool_sync.domain.fleet import Order
from tool_sync.rollouts.plan_gates import gate_words


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage, in words."""

    name: str
    who: str
    gate: str
    state: str


def stage_rows(order: Order) -> list[StageRow]:
    """In their order."""
    rows = []
    for number, stage in enumerate(order.stages):
        gates = [gate_words(stage)] if stage.gate_calls else []
        gates += [f"{stage.bake_seconds // 60} min after it is done"] if stage.bake_seconds else []
        is_done = order.state == "completed" or number < order.open_stage
        state = "done" if is_done else "open" if number == order.open_stage else "not open yet"
        rows.append(StageRow(stage.name, _who(stage), ", ".join(gates) or "as soon as it is done", state))
    return rows


def _who(stage: RolloutStage) -> str:
    parts = [f"{len(stage.orgs)} named clinics"] if stage.orgs else []
    if stage.ring_below:
        of = f" of the tiers {', '.join(stage.tiers)}" if stage.tiers else ""
        parts.append(f"{stage.ring_below * 100 / RINGS:g} % of the clinics{of}")
    elif stage.tiers:
        parts.append(f"the tiers {', '.join(stage.tiers)}")
    return " and ".join(parts) or "nobody"

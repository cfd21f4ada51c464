"""Which versions of a tool orders may give a clinic from now on: for whoever must know before a clinic has one."""

from tool_sync.domain.events.rollout import RINGS
from tool_sync.domain.fleet.state import Fleet, Order


def given_versions(fleet: Fleet, name: str) -> frozenset[int]:
    """The versions that some clinic may be given as the orders stand: not those that clinics merely have still.

    A halted tool's count, too: when the halt ends, the orders count as they stand.
    """
    found: set[int] = set()
    for order in reversed(fleet.orders.get(name, ())):
        if order.is_standing and order.version is not None:
            found.add(order.version)
        if order.state == "completed" and _holds_everybody(order):
            break
    return frozenset(found)


def _holds_everybody(order: Order) -> bool:
    return any(stage.ring_below >= RINGS and not stage.tiers for stage in order.stages)

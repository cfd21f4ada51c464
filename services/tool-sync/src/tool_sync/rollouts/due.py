"""What the feeder finds out without asking anybody: which tools are due, who is done, why a gate stays shut. Pure."""

from datetime import datetime
from typing import Final

from tool_sync.domain.fleet import Fleet, Order
from tool_sync.domain.fleet.work import ClinicFacts, Work, work_of
from tool_sync.rollouts.walk import ClinicWalk

REFUSED_SHARE_MAX: Final = 0.05
"""Of a stage's clinics: where Vapi refuses the version for more, the stage waits for a person."""
WORK: Final[frozenset[Work]] = frozenset({"update", "add", "remove"})


def why_shut(fleet: Fleet, order: Order, walk: ClinicWalk) -> str | None:
    """Why the gate stays shut whatever is at Vapi, in words: a stage that reached nobody has proved nothing."""
    if order.tool in fleet.halted:
        return f"{order.tool} is halted: {fleet.halted[order.tool]}"
    version = fleet.version_of(order)
    if version is not None and not fleet.is_answered(version):
        return f"assistant-api does not answer contract {version.contract} of {order.tool}"
    if walk.refused > REFUSED_SHARE_MAX * walk.given:
        return f"Vapi refuses it for {walk.refused:,} of {walk.given:,} clinics"
    return None


def is_over(facts: ClinicFacts, fleet: Fleet, name: str) -> bool:
    """Whether a clinic that was fed is done; or has looked everything through, and an assistant cannot be helped."""
    work = work_of(facts, fleet, name)
    return work not in WORK or (work != "update" and not facts.is_open)


def is_too_old(order: Order, now: datetime) -> bool:
    """Whether its gates have not opened in time."""
    return order.expires_at is not None and order.expires_at < now


def is_due(fleet: Fleet, name: str, settled: int, now: datetime) -> bool:
    """Whether something of the tool changed that not every clinic has, or its order runs."""
    order = fleet.open_order(name)
    if order is not None and (order.state == "running" or is_too_old(order, now)):
        return True
    return fleet.changed_at.get(name, 0) > settled

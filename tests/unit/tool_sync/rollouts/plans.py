"""Plans as a walk over clinics would have made them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from tool_sync.domain.events import RolloutStage
from tool_sync.domain.fleet import Order
from tool_sync.domain.fleet.work import Tally, Work
from tool_sync.rollouts.plan import Planned

from ..domain.fleets import EVERYBODY, fleet_of, published

AT = datetime(2026, 11, 29, 20, 0, tzinfo=UTC)


def planned(
    counts: Mapping[Any, tuple[int, int]],
    *,
    stages: tuple[RolloutStage, ...] = (EVERYBODY,),
    tool: str = "book",
    version: int | None = 1,
    outside: int = 0,
) -> Planned:
    """By work, how many clinics and assistants; all of them in the last stage."""
    tallies = tuple(Tally() for _ in stages)
    whole = Tally()
    for work, (clinics, assistants) in counts.items():
        for tally in (whole, tallies[-1]):
            tally.add(cast(Work, work), clinics, assistants)
    order = Order("9c4e71d2", tool, version, stages, 7, AT, None, "", open_stage=len(stages) - 1, opened_at=AT)
    return Planned(order, fleet_of(published()), 48_112_390, AT, whole, tallies, outside, "digest")

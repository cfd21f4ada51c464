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
    contract: int = 0,
) -> Planned:
    """By work, how many clinics and assistants; all of them in the last stage."""
    tallies = tuple(Tally() for _ in stages)
    whole = Tally()
    for work, (clinics, assistants) in counts.items():
        for tally in (whole, tallies[-1]):
            tally.add(cast(Work, work), clinics, assistants)
    fleet = fleet_of(published(tool, version or 1, contract=contract))
    gives = None if version is None else fleet.versions[tool][version]
    last = len(stages) - 1
    order = Order("9c4e71d2", tool, version, stages, 7, AT, None, "", open_stage=last, opened_at=AT, gives=gives)
    return Planned(
        order,
        fleet,
        48_112_390,
        AT,
        whole,
        tallies,
        outside,
        "digest",
    )

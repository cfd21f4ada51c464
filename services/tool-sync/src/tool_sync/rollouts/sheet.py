"""A tool on one page: its versions, how many clinics have each, and what is ordered for whom, in words."""

from dataclasses import dataclass
from typing import Final

from tool_sync.domain.fleet import Fleet, Version
from tool_sync.domain.fleet.rollout import Refused
from tool_sync.queries.held import Held
from tool_sync.rollouts.catalogue import ShownTool, tool_shown
from tool_sync.rollouts.publish import newest_usable

VERSIONS_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version of a tool, and how many clinics have it; ``version`` is None where nobody publishes its number now."""

    number: int
    clinics: int
    version: Version | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A tool as its page has it: the newest versions first; ``newest`` is that which can be ordered."""

    tool: ShownTool
    rows: tuple[VersionRow, ...]
    clinics: int
    newest: int | None
    said: str

    @property
    def shown(self) -> tuple[VersionRow, ...]:
        """The newest versions, and every one that some clinic has."""
        return tuple(row for place, row in enumerate(self.rows) if place < VERSIONS_SHOWN or row.clinics)


def sheet_of(fleet: Fleet, held: Held, name: str) -> Sheet:
    """One that was published."""
    tool, versions = tool_shown(fleet, name), fleet.versions[name]
    counts = {number: clinics for (of, number), clinics in held.by_version.items() if of == name}
    numbers = sorted(versions.keys() | counts.keys(), reverse=True)
    rows = tuple(VersionRow(number, counts.get(number, 0), versions.get(number)) for number in numbers)
    newest = newest_usable(fleet, name)
    return Sheet(tool, rows, sum(counts.values()), None if isinstance(newest, Refused) else newest, _said(fleet, tool))


def _said(fleet: Fleet, tool: ShownTool) -> str:
    """What is ordered, for whom."""
    if tool.halted is not None:
        return f"No caller has it: it is halted. Why: {tool.halted}"
    everybody = (
        "Nothing is ordered for everybody" if tool.ordered is None else f"Everybody is to have version {tool.ordered}"
    )
    if (order := fleet.open_order(tool.name)) is None:
        return f"{everybody}."
    what = "the tool is taken away" if order.version is None else f"version {order.version} is rolled out"
    at = f"stage {order.open_stage + 1} of {len(order.stages)}" if order.open_stage >= 0 else "no stage is open yet"
    return f"{everybody}. Meanwhile {what}: {at}, {order.state}."

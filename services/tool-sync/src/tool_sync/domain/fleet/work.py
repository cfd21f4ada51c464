"""What a decision means for one clinic: the work that makes its tool so, and the calls of Vapi's that it takes."""

from dataclasses import dataclass
from typing import Final, Literal

from tool_sync.domain.events import PlanCounts
from tool_sync.domain.fleet.decide import Clinic, decide_tool
from tool_sync.domain.fleet.state import Fleet

Work = Literal["update", "add", "remove", "already", "left", "refused", "unused"]
"""``update``: another definition in place. ``add``: it is made and linked, or linked. ``remove``: it is unlinked, and
deleted after the grace. ``left``: the clinic's own setting, its tier or the contract keeps it as it is. ``refused``:
Vapi refuses this definition for good. ``unused``: the clinic has no assistant."""

CALLS_PER_ADD: Final = 3
"""``POST /tool``, ``GET`` and ``PATCH /assistant``; two more for each further assistant."""
CALLS_PER_ASSISTANT: Final = 2


@dataclass(frozen=True, slots=True)
class ClinicFacts:
    """One clinic and one tool, as the tables have them. ``definition_hash`` is None where it does not have the tool.

    ``unlinked``: some assistant that is synced does not name the tool. ``refused_hash``: of the definition that Vapi
    refused last. ``row_position``: of the tool's row, 0 where there is none. ``is_open``: some change to all of the
    clinic is not looked through yet.
    """

    clinic: Clinic
    assistants: int
    definition_hash: str | None
    unlinked: bool
    refused_hash: str | None
    row_position: int
    is_open: bool = False


def work_of(facts: ClinicFacts, fleet: Fleet, name: str) -> Work:
    """What is to be done about the tool."""
    made = decide_tool(facts.clinic, fleet, name)
    has = facts.definition_hash is not None
    if made.keeps:
        return "left"
    if made.version is None:
        if has:
            return "remove"
        return "left" if made.rule in ("setting", "tier") else "already"
    wanted = made.version.definition_hash
    if not facts.assistants and not has:
        return "unused"
    if facts.definition_hash == wanted:
        return "add" if facts.unlinked else "already"
    if facts.refused_hash == wanted:
        return "refused"
    return "update" if has else "add"


def calls_of(work: Work, clinics: int, assistants: int) -> int:
    """The calls of Vapi's that the work takes at clinics with so many assistants together, where nothing fails."""
    match work:
        case "update":
            return clinics
        case "add":
            return CALLS_PER_ADD * clinics + CALLS_PER_ASSISTANT * (assistants - clinics)
        case "remove":
            return CALLS_PER_ASSISTANT * assistants
        case _:
            return 0


class Tally:
    """Clinics and their assistants, by what is to be done about them."""

    def __init__(self) -> None:
        self.clinics: dict[Work, int] = dict.fromkeys(
            ("update", "add", "remove", "already", "left", "refused", "unused"), 0
        )
        self.assistants: dict[Work, int] = dict(self.clinics)
        self.calls = 0

    def add(self, work: Work, clinics: int, assistants: int) -> None:
        """So many more."""
        self.clinics[work] += clinics
        self.assistants[work] += assistants
        self.calls += calls_of(work, clinics, assistants)

    @property
    def counts(self) -> PlanCounts:
        """As a plan's event has them."""
        left = self.clinics["left"] + self.clinics["refused"] + self.clinics["unused"]
        return PlanCounts(
            self.clinics["update"],
            self.clinics["add"],
            self.clinics["remove"],
            self.clinics["already"],
            left,
            self.calls,
        )

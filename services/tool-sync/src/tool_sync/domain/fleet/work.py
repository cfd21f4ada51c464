"""What a decision means for one clinic: the work that makes its tool so, and the calls of Vapi's that it takes."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from tool_sync.domain.change_window import TIME_ZONE_DEFAULT
from tool_sync.domain.events import PlanCounts
from tool_sync.domain.fleet.decide import Clinic, Rule, ToolDecision, decide_tool
from tool_sync.domain.fleet.state import Fleet

Work = Literal["update", "add", "remove", "already", "left", "refused", "unused"]
"""``update``: another definition in place. ``add``: it is made and linked, or linked. ``remove``: it is unlinked, and
deleted after the grace. ``left``: another rule than the order decides (:func:`left_by`). ``refused``:
Vapi refuses this definition for good. ``unused``: the clinic has no assistant."""

CALLS_PER_TOOL: Final = 1
"""``POST /tool``."""
CALLS_PER_ASSISTANT: Final = 2
"""``GET`` and ``PATCH /assistant``."""


@dataclass(frozen=True, slots=True)
class ClinicFacts:
    """One clinic and one tool, as the tables have them. ``definition_hash`` is None where it does not have the tool.

    ``unlinked``: some assistant that is synced does not name the tool. ``refused_hash``: of the definition that Vapi
    refused last. ``row_position``: of the tool's row, 0 where there is none. ``is_open``: some change to all of the
    clinic is not looked through yet. ``closes_at``: its change window, which is open, closes then. ``retired_hash``: of
    a tool that the clinic lost within the grace, and gets back. ``trouble``: what keeps callers of some assistant of it
    from its tools, as last looked: ``pinned at Vapi``, ``traffic split``, ``key paused`` or ``last sync failed``.
    ``is_reworded``: somebody changed words of its tool at Vapi. ``is_new``: the first saves of all its assistants wait
    to be synced, and will be by what is decided then.
    """

    clinic: Clinic
    assistants: int
    definition_hash: str | None
    unlinked: bool
    refused_hash: str | None
    row_position: int
    is_open: bool = False
    is_reworded: bool = False
    closes_at: datetime | None = None
    time_zone: str = TIME_ZONE_DEFAULT
    retired_hash: str | None = None
    trouble: str | None = None
    is_new: bool = False

    @property
    def once_open(self) -> "ClinicFacts":
        """The same, as if its change window were open."""
        return self if self.clinic.opens_at is None else replace(self, clinic=replace(self.clinic, opens_at=None))


def left_by(made: ToolDecision) -> Rule | None:
    """The rule by which an order that holds the clinic does not reach it now; None where it does."""
    if made.pin is not None and made.rule not in ("closed", "halted", "setting"):
        return "pinned"
    return made.rule if made.rule in ("setting", "tier", "contract", "window") else None


def work_of(facts: ClinicFacts, fleet: Fleet, name: str) -> Work:
    """What is to be done about the tool."""
    made = decide_tool(facts.clinic, fleet, name)
    has = facts.definition_hash is not None
    if made.rule == "window" and not has and name in facts.clinic.kept and facts.assistants:
        return "add"  # as it was: it is not an order that took it away
    if made.keeps:
        return "left"
    if made.version is None:
        if has:
            return "remove"
        return "left" if made.rule in ("setting", "tier") else "already"
    wanted = made.version.definition_hash
    if not facts.assistants and not has:
        return "unused"
    is_current = facts.definition_hash == wanted
    if is_current and facts.unlinked:
        return "add"
    if is_current and not (facts.is_reworded and name not in fleet.reported):
        return "already"
    if facts.refused_hash == wanted:
        return "refused"
    return "update" if has else "add"


def waits_for_window(facts: ClinicFacts, fleet: Fleet, name: str) -> bool:
    """Whether something is to be done about the tool as soon as the clinic's change window opens."""
    if facts.clinic.opens_at is None or decide_tool(facts.clinic, fleet, name).rule != "window":
        return False
    return work_of(facts.once_open, fleet, name) in ("update", "add", "remove")


def is_there(facts: ClinicFacts, wanted_hash: str) -> bool:
    """Whether a tool that is to be added is at Vapi with this definition already, and is only linked."""
    return facts.definition_hash is not None or facts.retired_hash == wanted_hash


def calls_of(work: Work, clinics: int, assistants: int, *, is_there: bool = False) -> int:
    """The calls of Vapi's that the work takes at clinics with so many assistants together, where nothing fails."""
    match work:
        case "update":
            return clinics
        case "add":
            return CALLS_PER_TOOL * clinics * (not is_there) + CALLS_PER_ASSISTANT * assistants
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
        self.left_by: Counter[Rule] = Counter()
        """Of the clinics that are left, by the rule that keeps them as they are."""
        self.trouble: Counter[str] = Counter()
        """Of all these clinics, by what keeps callers from the tools, whatever the order does."""
        self.calls = 0
        self.windows_closed = 0
        """Of the clinics that are counted: they wait for their change window."""

    def add(
        self,
        work: Work,
        clinics: int,
        assistants: int,
        *,
        is_there: bool = False,
        rule: Rule | None = None,
        trouble: str | None = None,
    ) -> None:
        """So many more. ``rule``: by which they are left; ``is_there``: what is added is only linked."""
        self.clinics[work] += clinics
        self.assistants[work] += assistants
        self.calls += calls_of(work, clinics, assistants, is_there=is_there)
        if work == "left" and rule is not None:
            self.left_by[rule] += clinics
        if trouble is not None:
            self.trouble[trouble] += clinics

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

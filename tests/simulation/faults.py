"""What happens to a run: a plan (die at this await, pause at that one, lose this answer), or what a seed draws."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Literal

KILL_RESTART_SECONDS = 3.0

Script = Literal[
    "first save", "a day", "an exchange", "a rollout", "a gated rollout", "creations", "pins", "a change window",
    "reported drift", "lost orders", "own words",
]  # fmt: skip
"""What happens where nothing is left to chance: one save of a first assistant; several of two, and a tier; two clinics
that give each other their assistants, and take them back; a version that is ordered in stages, while releases that
bring along different ones are side by side; assistants that are made with known tools, while these are retired and
deleted; clinics that stay at a version for a while; a clinic whose change window closes, and opens again; tools that
somebody changes while drift is only reported; orders that a restore has lost, with what was made for them; clinics that
word their tools while what is open to them changes."""

VapiFault = Literal[
    "refuse_connection", "500_before", "500_after", "lose_request", "lose_answer", "late", "429", "mangle"
]
LogFault = Literal["unavailable", "lost_commit", "sent_again"]

VAPI_FAULTS: tuple[VapiFault, ...] = (
    "refuse_connection", "500_before", "500_after", "lose_request", "lose_answer", "late", "429", "mangle",
)  # fmt: skip
LOG_FAULTS: tuple[LogFault, ...] = ("unavailable", "lost_commit", "sent_again")
CLINIC_FAULTS = (
    "duplicate_delivery", "outsider_edits", "tier", "remove_assistant", "close_org", "setting", "poison",
)  # fmt: skip
OTHER_FAULTS = ("kill", "pause", "list_lag", "store_away")
OPERATOR_FAULTS = ("retry_one", "retry_all", "audit")
PLATFORM_FAULTS = ("exchange", "hand_on", "forged_save", "born_again")
OUTSIDER_FAULTS = (
    "inline_twin", "saved_twin", "silence", "dangling_id", "strange_tool", "edit_tool", "delete_tool", "take_back",
)  # fmt: skip
RELEASE_FAULTS = ("other_url", "newer_version", "stay_mixed")
ORDER_FAULTS = ("unanswered", "ordered_to_none", "halt", "signup")
PIN_FAULTS = ("pin",)
HOURS_FAULTS = ("window", "reword", "reported")
MACHINE_FAULTS = ("restore", "skewed_clock", "records_gone", "topic_made_again", "rows_set_back")
FIRST_CLASSES = (*VAPI_FAULTS, *LOG_FAULTS, *CLINIC_FAULTS, *OTHER_FAULTS)
LATER_CLASSES = (
    "oldest_first", *OPERATOR_FAULTS, *PLATFORM_FAULTS, *OUTSIDER_FAULTS, *RELEASE_FAULTS, *MACHINE_FAULTS,
    "known_tools", *ORDER_FAULTS, *PIN_FAULTS,
)  # fmt: skip
CLASSES = (*FIRST_CLASSES, *LATER_CLASSES, *HOURS_FAULTS)
CROWDS = (0, 1, 2, 5, 25, 200)
"""How many tools of somebody else's an assistant names."""


@dataclass(frozen=True, slots=True)
class Point:
    """At the ``step``-th await of the workers (all of them counted together): die, or stand still for ``seconds``."""

    step: int
    seconds: float = 0.0

    @property
    def kills(self) -> bool:
        """Die."""
        return self.seconds == 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A run. ``seed`` None: nothing is left to chance. ``lost_answer``: that of the nth call to Vapi.

    A seed draws what happens as well as what goes wrong, but for a script other than the first: that one happens then,
    and nobody saves afterwards.

    ``small``: only the classes of the first day, one release and one foreign tool, as when the seed was found.
    ``hours``: also clinics with change windows, and tools whose words somebody changes; without it, a seed that was
    found before is what it was.
    """

    seed: int | None
    script: Script = "first save"
    points: tuple[Point, ...] = ()
    lost_answer: int | None = None
    small: bool = False
    hours: bool = False

    @property
    def is_by_chance(self) -> bool:
        """Whether what happens is drawn, too."""
        return self.seed is not None and self.script == "first save"

    def __str__(self) -> str:
        points = ", ".join(f"{'kill' if p.kills else f'pause {p.seconds:g} s'} at {p.step}" for p in self.points)
        lost = "" if self.lost_answer is None else f", answer {self.lost_answer} lost"
        told = f"seed {self.seed}{' with hours' * self.hours}" if self.is_by_chance else self.script
        told += "" if self.seed is None or self.is_by_chance else f" with the faults of seed {self.seed}"
        return f"{told}: {points or 'no point'}{lost}"


@dataclass(slots=True)
class Faults:
    """Decides, and counts what really happened in ``fired``."""

    plan: Plan
    fired: Counter[str] = field(default_factory=Counter)
    healed: bool = False
    steps: int = 0
    vapi_calls: int = 0
    _random: Random = field(init=False)
    _on: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = Random(f"faults {self.plan.seed}")
        if self.plan.seed is not None and not self.plan.points and self.plan.lost_answer is None:
            # Swarm: each seed has some classes only, and each of those its own rate.
            share = self._random.choice((0.15, 0.3, 0.6))
            self._on = {
                name: self._random.choice((0.02, 0.1, 0.3)) for name in FIRST_CLASSES if self._random.random() < share
            }
            if not self.plan.small:
                self._on |= _later(Random(f"later faults {self.plan.seed}"))
            if self.plan.hours:
                self._on |= _hours(Random(f"faults of hours {self.plan.seed}"))

    @property
    def random(self) -> Random:
        """Chance for whoever needs it; a plan without a seed has none."""
        return self._random

    @property
    def chance(self) -> bool:
        """Whether anything is left to chance."""
        return self.plan.seed is not None

    def hits(self, name: str) -> bool:
        """Whether a fault of this class happens now."""
        rate = self._on.get(name)
        if rate is None or self.healed or self._random.random() >= rate:
            return False
        self.fired[name] += 1
        return True

    @property
    def later(self) -> bool:
        """Whether this run has any of the classes that came later."""
        return any(name in self._on for name in (*LATER_CLASSES, *HOURS_FAULTS))

    def has_without(self, name: str, others: Iterable[str]) -> bool:
        """Whether this run has a class and none of ``others``, which it cannot be told apart from; counted."""
        return not any(other in self._on for other in others) and self.has(name)

    def has(self, name: str) -> bool:
        """Whether this run has a class at all, such as a second release; counted where it has."""
        if name not in self._on:
            return False
        self.fired[name] += 1
        return True

    def rate(self, name: str) -> float:
        """The rate of a class in this run, 0 where it is off."""
        return 0.0 if self.healed else self._on.get(name, 0.0)

    def vapi(self) -> VapiFault | None:
        """What happens to the next call to Vapi."""
        self.vapi_calls += 1
        if self.plan.lost_answer == self.vapi_calls:
            self.fired["lose_answer"] += 1
            return "lose_answer"
        return next((name for name in VAPI_FAULTS if self.hits(name)), None)

    def log(self) -> LogFault | None:
        """What happens to the next append."""
        return next((name for name in LOG_FAULTS if self.hits(name)), None)

    def at_step(self) -> Point | None:
        """What happens at this await of a worker."""
        self.steps += 1
        for point in self.plan.points:
            if point.step == self.steps:
                self.fired["kill" if point.kills else "pause"] += 1
                return point
        if not self._on or self.healed:
            return None
        # Rates are per call elsewhere; awaits are many, so these are rarer.
        if self._random.random() < self._on.get("kill", 0.0) / 40:
            self.fired["kill"] += 1
            return Point(self.steps)
        if self._random.random() < self._on.get("pause", 0.0) / 40:
            self.fired["pause"] += 1
            return Point(self.steps, self._random.choice((0.5, 3.0, 15.0, 60.0)))
        return None


def _later(dice: Random) -> dict[str, float]:
    """What came to the simulation later, drawn by dice of its own: in half of the seeds nothing of it."""
    if dice.random() < 0.5:
        return {}
    share = dice.choice((0.15, 0.3, 0.5))
    return {name: dice.choice((0.02, 0.1, 0.3)) for name in LATER_CLASSES if dice.random() < share}


def _hours(dice: Random) -> dict[str, float]:
    """Change windows and reworded tools; versions are ordered in any case, as windows hold nothing else back."""
    found = {name: dice.choice((0.05, 0.15, 0.3)) for name in HOURS_FAULTS if dice.random() < 0.7}
    return {"newer_version": 0.1, **found}

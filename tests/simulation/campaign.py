"""The campaign: every kill and pause point, all pairs, then seeds; and the broken protocols that must be caught."""

import os
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import chain, count, islice
from multiprocessing import get_context
from typing import Literal

from .faults import CLASSES, Plan, Point, Script
from .mutants import MUTANTS
from .world import Result, run

End = Literal["runs", "time"]

SCRIPTS: tuple[Script, ...] = (
    "first save",
    "a day",
    "an exchange",
    "a rollout",
    "a gated rollout",
    "creations",
    "pins",
    "a change window",
    "reported drift",
    "lost orders",
    "own words",
)
POINTS_EVERY: Mapping[Script, int] = {
    "a rollout": 3, "creations": 3, "pins": 8, "a change window": 28, "a gated rollout": 2, "reported drift": 2,
    "lost orders": 12, "own words": 40,
}  # fmt: skip
"""Of these scripts a short campaign takes one point of so many: all of them take two cores a quarter of an hour."""
SHORT_MINUTES_MAX = 10.0
PAUSES_SECONDS = (3.0, 15.0, 60.0)
ROLLOUT_PAUSE_SECONDS = 0.9
"""Short enough that what was announced is still sent, long enough that something else is ordered meanwhile."""
PAIR_PAUSE_SECONDS = 15.0
SEEDS_FIRST = 400
"""Before the single points, which take minutes: so every campaign has every class of faults."""
RUNS_WANTED = 100_000
BATCH = 40
BATCHES_WAITING_MAX = 8
HOURS_EVERY = 3
"""Of so many seeds one has change windows and changed words, too."""
FAILURES_KEPT_MAX = 50
MUTANT_PLANS_MAX = 3000

FOUND_SOMETHING = (
    Plan(3867, small=True), Plan(10084, small=True), Plan(37738, small=True), Plan(5014), Plan(27726),
    Plan(1249), Plan(6332), Plan(16460), Plan(24532), Plan(None, "a rollout", (Point(288),)),
    Plan(None, "a day", (Point(101), Point(125, 15.0))), Plan(None, "a day", (Point(28, 15.0), Point(93, 15.0))),
    Plan(None, "own words", (Point(823, 0.9),)),
)  # fmt: skip
"""Plans that broke the protocol once. They come first, and are among those that must catch the broken ones."""

TELLING = (
    Plan(None, "lost orders"),
    Plan(None, "reported drift"),
    Plan(None, "own words"), Plan(None, "own words", (Point(144),)), Plan(None, "own words", (Point(183),)),
    Plan(None, "own words", lost_answer=11),
    Plan(None, "a rollout"), Plan(None, "a change window"), Plan(12), Plan(14), Plan(18), Plan(23), Plan(26), Plan(28),
    Plan(38), Plan(44), Plan(49), Plan(164), Plan(186), Plan(55), Plan(306), Plan(383), Plan(858), Plan(1331),
    Plan(2086), Plan(None, "a rollout", (Point(81, 15.0),)), Plan(None, "a rollout", (Point(472, 0.9),)),
    Plan(None, "a gated rollout"), Plan(None, "pins"), Plan(None, "pins", (Point(132, 15.0),)),
    Plan(None, "pins", (Point(602, 0.9),)), Plan(17), Plan(118, hours=True), Plan(124), Plan(191), Plan(240), Plan(372),
    Plan(455), Plan(484), Plan(3303),
)  # fmt: skip
"""Seeds that catch broken protocols which few others catch; they only save time."""

MUST_BE_REACHED = (
    "adopted", "attempt unknown TS-104", "attempt absent TS-104", "attempt not_sent TS-107", "attempt not_sent TS-101",
    "attempt refused TS-103", "conflict", "duplicate", "lease lost", "diverged", "DriftDetected", "SurplusSearched",
    "ToolRetired", "ToolReinstated", "sent late", "surplus", "SurplusFound", "SurplusDeleted", "AssistantLinked",
    "failed TS-401", "failed TS-402", "failed TS-403", "cause tier", "cause setting", "cause drift", "cause retry",
    "failed TS-307", "failed TS-308", "failed TS-309", "failed TS-312", "released", "definition put back",
    "restored events", "lost tools listed", "records gone", "agents set back", "agents made again",
    "made with known tools", "made with a deleted tool", "attempt refused TS-306", "fed in place", "updated in place",
    "fed ToolOrdered", "announced in flight", "rolled back at rest", "cause rollout", "cause halt",
    "order RolloutPaused", "order RolloutAborted", "order RolloutExpired", "order ContractsAnswered",
    "cause pin", "pin ended by time", "waits for its window", "words left", "announced with own words",
    "own words lost", "own words at rest",
)  # fmt: skip
"""Branches of the protocol. A campaign that never took one of them has proved nothing about it, and is void."""


class WorkerDied(Exception):
    """A process of the campaign was killed, by the machine for instance: what it ran has no result."""


@dataclass(slots=True)
class Tally:
    """What a campaign has seen so far."""

    runs: int = 0
    exhaustive: int = 0
    saves: int = 0
    virtual_hours: float = 0.0
    fired: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    violations: int = 0
    failures: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Count one run."""
        self.runs += 1
        self.exhaustive += result.plan.seed is None
        self.saves += result.saves
        self.virtual_hours += result.virtual_seconds / 3600
        self.fired += result.fired
        self.reached += result.reached
        self.violations += len(result.violations)
        if result.violations and len(self.failures) < FAILURES_KEPT_MAX:
            self.failures.append(result)

    @property
    def void(self) -> list[str]:
        """Fault classes that never fired and branches that were never taken."""
        return [name for name in CLASSES if not self.fired[name]] + [
            name for name in MUST_BE_REACHED if not self.reached[name]
        ]


def singles(script: Script) -> Iterator[Plan]:
    """A kill and each pause at every await, and every lost answer."""
    bare = run(Plan(None, script))
    yield Plan(None, script)
    # These are the longest scripts by far, and what longer pauses change of a sync the others have.
    is_long = script in ("a rollout", "pins", "a change window", "own words")
    pauses = (ROLLOUT_PAUSE_SECONDS, PAIR_PAUSE_SECONDS) if is_long else PAUSES_SECONDS
    for step in range(1, bare.steps + 1):
        for seconds in (0.0, *pauses):
            yield Plan(None, script, (Point(step, seconds),))
    for call in range(1, bare.vapi_calls + 1):
        yield Plan(None, script, lost_answer=call)


def pairs(script: Script) -> Iterator[Plan]:
    """All pairs of a kill or a pause, and a later kill or pause; the second counts in the run that the first made."""
    bare = run(Plan(None, script))
    for first in range(1, bare.steps + 1):
        for seconds in (0.0, PAIR_PAUSE_SECONDS):
            so_far = Point(first, seconds)
            steps = run(Plan(None, script, (so_far,))).steps
            for second in range(first + 1, steps + 1):
                yield Plan(None, script, (so_far, Point(second)))
                yield Plan(None, script, (so_far, Point(second, PAIR_PAUSE_SECONDS)))


def of_seed(number: int) -> Plan:
    """What a campaign runs for a seed."""
    return Plan(number, hours=number % HOURS_EVERY == 0)


def parts(seed: int, *, is_short: bool = False) -> Iterator[tuple[Iterator[Plan], Set[End]]]:
    """What a campaign runs, in order: seeds, every single point, then pairs and seeds in turns, as pairs take hours.

    With each part what ends it before its own end. ``is_short``: of the longest scripts only some points, other ones
    with another seed.
    """
    yield chain(FOUND_SOMETHING, map(of_seed, range(seed, seed + SEEDS_FIRST))), {"runs"}
    yield chain.from_iterable(_points(script, seed, is_short) for script in SCRIPTS), set()
    both = chain(pairs("first save"), pairs("a day"))
    yield _in_turns(both, map(of_seed, count(seed + SEEDS_FIRST))), {"runs", "time"}


def _points(script: Script, seed: int, is_short: bool) -> Iterator[Plan]:
    every = POINTS_EVERY.get(script, 1) if is_short else 1
    return islice(singles(script), seed % every, None, every)


def _in_turns(both: Iterator[Plan], seeds: Iterator[Plan]) -> Iterator[Plan]:
    while turn := list(islice(both, BATCH)):
        yield from turn
        yield from islice(seeds, BATCH)
    yield from seeds


def campaign(seed: int, *, runs: int | None, minutes: float | None, show: Callable[[Tally], None]) -> Tally:
    """Run until ``runs`` are done, or the time is up. The first seeds are run and every await of the scripts is killed
    and paused whatever the time, but of the longest scripts some where there is little: a busy machine takes longer,
    and proves the same."""
    until = None if minutes is None else time.monotonic() + minutes * 60
    tally = Tally()
    wanted = RUNS_WANTED if runs is None and minutes is None else runs
    batches = _batches(parts(seed, is_short=minutes is not None and minutes < SHORT_MINUTES_MAX), wanted, until)
    waiting: dict[Future[list[Result]], list[Plan]] = {}
    with ProcessPoolExecutor(os.cpu_count() or 1, get_context("fork")) as pool:
        while True:
            for batch in islice(batches, BATCHES_WAITING_MAX - len(waiting)):
                waiting[pool.submit(_run_batch, batch)] = batch
            if not waiting:
                return tally
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                for result in _results(future, waiting.pop(future)):
                    tally.add(result)
                show(tally)


def _results(future: Future[list[Result]], batch: list[Plan]) -> list[Result]:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise WorkerDied(f"a worker of the campaign died; it may have run one of {batch[0]} … {batch[-1]}") from error


def _batches(
    everything: Iterator[tuple[Iterator[Plan], Set[End]]], wanted: int | None, until: float | None
) -> Iterator[list[Plan]]:
    """Batches, made only as fast as they are run."""
    made = 0
    for part, ends in everything:
        while batch := list(islice(part, BATCH)):
            if "runs" in ends and wanted is not None and made >= wanted:
                return
            if "time" in ends and until is not None and time.monotonic() > until:
                return
            made += len(batch)
            yield batch


def _run_batch(batch: list[Plan]) -> list[Result]:
    return [_run(plan) for plan in batch]


def _run(plan: Plan) -> Result:
    """A run that cannot even be judged is a violation like any other, and ends no campaign."""
    try:
        return run(plan)
    except Exception as error:
        return Result.of_broken(plan, traceback.format_exception(error))


def catch_mutants(show: Callable[[str, str], None]) -> list[str]:
    """Run every broken protocol until it is caught; the names of those that were not."""
    survivors = []
    with get_context("fork").Pool(os.cpu_count() or 1) as pool:
        for name, caught in pool.imap_unordered(_catch, MUTANTS):
            show(name, caught or "NOT CAUGHT")
            if not caught:
                survivors.append(name)
    return survivors


def _catch(name: str) -> tuple[str, str | None]:
    """A plan that the right protocol does not survive either says nothing about a broken one."""
    for n, plan in enumerate(islice(_mutant_plans(), MUTANT_PLANS_MAX), 1):
        with MUTANTS[name]():
            result = run(plan)
        if result.violations and not run(plan).violations:
            return name, f"run {n}, {plan}: {result.violations[0].strip()[:110]}"
    return name, None


def _mutant_plans() -> Iterable[Plan]:
    yield from FOUND_SOMETHING
    yield from TELLING
    yield from singles("first save")
    yield Plan(None, "creations")
    for number, plan in enumerate(chain(singles("a day"), singles("a rollout"), singles("an exchange"))):
        yield from (plan, Plan(number))
    yield from (Plan(number) for number in count(number + 1))

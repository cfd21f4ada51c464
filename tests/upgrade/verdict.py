"""What a rolling upgrade promises, judged on what the run left. The checker judges everything else."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.client import Answer
from tests.chaos.phases import percentile
from tests.checker.history import History
from tests.checker.wire import canonical

GAP_SECONDS_MAX: Final = 5.0
"""Between two outcomes while saves come; leases, partitions and the relay pass from one process to the next in it."""

MIGRATING: Final = "tables become N+1 under N"
FIRST_STOP: Final = "the first replicas become N+1"
SECOND_STOP: Final = "the others become N+1"
OF_THE_RELEASE_BEFORE: Final[Mapping[str, frozenset[int | None]]] = {
    MIGRATING: frozenset({503}),
    FIRST_STOP: frozenset({503, None}),
    SECOND_STOP: frozenset({503, None}),
}
"""What a request may be told, or not answered at all (None), and has to repeat (docs/runbooks/upgrade.md), for a fault
that no release has any more: a request may lose a deadlock to assistant-api's migration 230, and a unit test keeps
newer ones from that; a process of N that stops still takes requests, and since then a process leaves its port first.
That N+1 stops without a fault is judged where one of its replicas goes back to N."""


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the run in which the replicas were the same, or one was replaced. Times in seconds since 1970."""

    name: str
    began: float
    ended: float


@dataclass(slots=True)
class Findings:
    """What a run came to. `answers` by who asked; `rows`: the calls that have an appointment; `gaps`: the longest time
    without an outcome, by step; `still_writing`: writes to Vapi at rest while both releases ran; `slow_stops`: replicas
    that did not end in time."""

    steps: list[Step]
    answers: Mapping[str, Sequence[Answer]]
    booked: Mapping[str, str]
    refused: Sequence[str]
    rows: frozenset[str]
    gaps: Mapping[str, float]
    still_writing: Sequence[str]
    left: Mapping[str, int]
    shipped: bool
    slow_stops: int
    back_and_forth: Sequence[str] = field(default_factory=list)


def broken(found: Findings) -> Iterator[str]:
    """Each broken promise as a sentence."""
    for who, answers in found.answers.items():
        for step in found.steps:
            forgiven = OF_THE_RELEASE_BEFORE.get(step.name, frozenset())
            bad = [it for it in _within(answers, step) if _is_fault(it) and it.status not in forgiven]
            if bad:
                statuses = sorted({str(it.status or "no answer") for it in bad})
                yield f"{step.name}: {len(bad)} answers to {who} were {', '.join(statuses)}: {bad[0].body}"
    for words in found.refused:
        yield f"a caller who asked for a free time heard {words}"
    if lost := sorted(found.booked.keys() - found.rows):
        yield f"{len(lost)} calls were told that they are booked, and are not: {lost[0]}"
    for name, seconds in found.gaps.items():
        if seconds > GAP_SECONDS_MAX:
            yield f"{name}: {seconds:.1f} s without an outcome"
    yield from found.back_and_forth
    for write in found.still_writing:
        yield f"at rest, with both releases running: {write}"
    for what, number in found.left.items():
        yield f"not at rest: {what}: {number}"
    if not found.shipped:
        yield "the order that began while both releases ran was not carried out"
    if found.slow_stops:
        yield f"{found.slow_stops} replicas did not end in time after SIGTERM"


def back_and_forth(history: History) -> list[str]:
    """Tools and assistants that a service wrote to what they had been before: two releases that disagree do that.

    Every save of the run has a prompt of its own, and every version of a tool its own text.
    """
    vapi, found = history.vapi, []
    for assistant, writes in vapi.writes_of.items():
        seen = {canonical(writes[0].before)}
        for write in writes:
            after = canonical(write.after)
            if write.ours and after in seen and after != canonical(write.before):
                found.append(f"assistant {assistant} was written back to what it had been")
            seen.add(after)
    bodies: dict[str, list[str]] = defaultdict(list)
    for entry in history.dump.journal:
        is_ours = entry["executed"] and history.ours[entry["sequence"]]
        if is_ours and entry["method"] == "PATCH" and entry["path"].startswith("/tool/"):
            bodies[entry["path"]].append(canonical(entry["body"]))
    twice = {path: said for path, said in bodies.items() if len(set(said)) < len(said)}
    return found + [f"{path} was written {len(said)} times with {len(set(said))} texts" for path, said in twice.items()]


def table(found: Findings) -> Iterator[str]:
    """A line for each step."""
    yield f"{'':38}  seconds  saves  p50 ms  p99 ms  reads  calls  longest gap"
    for step in found.steps:
        saves = sorted(it.seconds * 1000 for it in _within(found.answers["saves"], step) if it.state == "ok")
        reads, calls = (len(list(_within(found.answers[who], step))) for who in ("reads", "calls"))
        yield (
            f"{step.name:38} {step.ended - step.began:8.1f} {len(saves):6} {percentile(saves, 0.5):7.0f} "
            f"{percentile(saves, 0.99):7.0f} {reads:6} {calls:6} {found.gaps.get(step.name, 0.0):10.1f} s"
        )


def told_to_repeat(found: Findings) -> int:
    """How many requests have to be repeated for a fault of the release before."""
    return sum(
        _is_fault(answer) and answer.status in OF_THE_RELEASE_BEFORE.get(step.name, ())
        for answers in found.answers.values()
        for step in found.steps
        for answer in _within(answers, step)
    )


def _is_fault(answer: Answer) -> bool:
    return answer.status is None or answer.status >= 500


def _within(answers: Sequence[Answer], step: Step) -> Iterator[Answer]:
    return (it for it in answers if step.began <= it.started < step.ended)

"""The table of a run, its verdict, and the one line that sums it up."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.chaos.phases import REST_SECONDS_MAX, Phase, percentile
from tests.chaos.run import Findings, Plan
from tests.chaos.server_faults import BROKER_IS_BACK, POSTGRES_IS_BACK
from tests.checker.verdict import Verdict

RECOVERY_SECONDS_MAX: Final = {POSTGRES_IS_BACK: 3.0, BROKER_IS_BACK: 10.0}
BLOCK_SECONDS_MAX: Final = 0.1
START_SECONDS: Final = 5.0
"""A process that has just begun imports and connects; it serves nobody yet."""
SAVE_P99_ADDED_MS_MAX: Final = 5.0
AMPLIFICATION_MAX: Final = (1.05, 1.5)
LONG_MINUTES: Final = 10
FAULTS_MIN, CLASSES_MIN, SAVES_MIN = 100, 12, 5000


@dataclass(frozen=True, slots=True)
class Report:
    """What is printed, and whether the run was good."""

    lines: tuple[str, ...]
    good: bool


def report(plan: Plan, command: str, found: Findings, verdict: Verdict) -> Report:
    """Judge what the checker cannot see, and say everything."""
    unsafe, late = list(_unsafe(found)), list(_late(found))
    own = unsafe + late if plan.phases else unsafe
    must = {"rollout apply": "rollout was started", "org pin": "clinic was pinned", "window set": "window was set"}
    voids = [
        *verdict.void,
        *(f"no {what}" for typed, what in must.items() if not found.ordered[typed]),
        *(f"{name} never fired" for name in found.unfired),
        *_too_little(plan, found, verdict),
    ]
    violations = len(verdict.violations) + len(own)
    faults, minutes = sum(found.fired.values()), plan.seconds / 60
    summary = (
        f"{command}: seed {plan.seed}, {minutes:g} minutes, {faults} faults of {len(found.fired)} classes, "
        f"{_saves(verdict)} saves, {violations} violations{', VOID' if voids else ''}"
    )
    lines = [
        *_injected(found),
        "",
        *_measured(found),
        "",
        verdict.table(),
        *(f"VIOLATION: {line}" for line in own),
        *(f"late, not judged in a bare run: {line}" for line in ([] if plan.phases else late)),
        *(f"VOID: {line}" for line in dict.fromkeys(voids)),
        "",
        summary,
    ]
    return Report(tuple(lines), good=not violations and not voids)


def _unsafe(found: Findings) -> Iterator[str]:
    if found.left:
        yield f"not at rest {found.quiet_seconds:.0f} s after healing: {found.left}"
    if found.unjustified:
        yield "`log decisions` finds a write that the log does not justify; see operator.log"
    if faults := found.statuses["500"]:
        yield f"{faults} answers of status 500: whatever is away, that is a fault of ours"
    for phase in found.phases:
        if phase.left:
            yield f"{phase.name}: not at rest {REST_SECONDS_MAX:g} s later: {phase.left}"


def _late(found: Findings) -> Iterator[str]:
    """What took longer than promised: true of the machine as much as of the code."""
    for what, most in RECOVERY_SECONDS_MAX.items():
        for it in found.recoveries:
            if it.what == what and it.alone and (it.seconds is None or it.seconds > most):
                yield f"first outcome {it.seconds and round(it.seconds, 1)} s after {what}, {most:g} s are allowed"
    for block in _blocks(found):
        # A process that was kept from its core then finds all that has arrived at once: no block of its own.
        waited = block["seconds"] - block["computing"]
        if block["computing"] > BLOCK_SECONDS_MAX and waited < BLOCK_SECONDS_MAX:
            yield f"the event loop of {block['replica']} computed for {block['computing']:.3f} s: {block}"
    if found.slow_stops:
        yield f"{found.slow_stops} processes did not stop within 5 s of SIGTERM"
    if found.phases:
        yield from _phase_violations(*found.phases)


def _phase_violations(healthy: Phase, half: Phase, down: Phase) -> Iterator[str]:
    if down.not_served:
        yield f"{down.not_served} calls of {down.saves} were not served while only tool-sync was down"
    if down.p99_ms > healthy.p99_ms + SAVE_P99_ADDED_MS_MAX:
        yield f"p99 of saves is {down.p99_ms:.1f} ms without tool-sync, {healthy.p99_ms:.1f} ms with it"
    for phase, most in zip((healthy, half), AMPLIFICATION_MAX, strict=True):
        if phase.amplification is not None and phase.amplification > most:
            yield f"{phase.amplification} Vapi calls per needed one ({phase.name}), {most} are allowed"


def _too_little(plan: Plan, found: Findings, verdict: Verdict) -> Iterator[str]:
    if plan.seconds < LONG_MINUTES * 60:
        return
    for name, count, least in (
        ("faults", sum(found.fired.values()), FAULTS_MIN),
        ("classes", len(found.fired), CLASSES_MIN),
        ("saves", _saves(verdict), SAVES_MIN),
    ):
        if count < least:
            yield f"only {count} {name}, {least} are wanted"


def _injected(found: Findings) -> Iterator[str]:
    yield f"{'injected':<28}{'times':>6}"
    for name, times in sorted(found.fired.items()):
        yield f"{name:<28}{times:>6}"
    yield f"{'edits by somebody else':<28}{found.edits:>6}"
    yield f"{'poison records':<28}{found.poison:>6}"


def _measured(found: Findings) -> Iterator[str]:
    for phase in found.phases:
        more = "" if phase.amplification is None else f", {phase.amplification} Vapi calls per needed one"
        yield (
            f"{phase.name}: {phase.saves} calls served, {phase.not_served} not; p50 {phase.p50_ms:.1f} ms, "
            f"p99 {phase.p99_ms:.1f} ms{more}"
        )
    for what in sorted({it.what for it in found.recoveries}):
        yield _recovery(found, what)
    blocks = _blocks(found)
    longest = max(blocks, key=lambda block: block["seconds"], default=None)
    most = max((block["computing"] for block in blocks), default=0.0)
    yield f"event loops: longest stretch of computing {most:.3f} s, longest gap with all waiting {longest}"
    yield f"clients: {dict(found.done)}, {found.left_out} found no room; answers {dict(found.statuses)}"
    yield f"the platform's commands that did something: {dict(found.ordered)}"
    yield (
        f"processes: {found.restarts} restarts, {found.killed_by_probe} by the liveness probe; "
        f"at rest {found.quiet_seconds:.1f} s after healing"
    )


def _recovery(found: Findings, what: str) -> str:
    times = [(it.seconds, it.alone) for it in found.recoveries if it.what == what]
    known = sorted(seconds for seconds, _ in times if seconds is not None)
    alone = sorted(seconds for seconds, alone in times if alone and seconds is not None)
    return (
        f"first outcome after: {what}: median {percentile(known, 0.5):.1f} s, longest {max(known, default=0):.1f} s of "
        f"{len(times)}; with no other fault at the time longest {max(alone, default=0):.1f} s of {len(alone)}"
    )


def _blocks(found: Findings) -> list[dict[str, Any]]:
    return [block for block in found.blocks if block["age"] > START_SECONDS]


def _saves(verdict: Verdict) -> int:
    return int(verdict.figures.get("saves", {}).get("saved", 0))

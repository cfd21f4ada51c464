"""The table of points and what happened there, and the one line at the end."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from tests.crash.campaign import Campaign
from tests.crash.cuts import Cuts
from tests.crash.probes import Measured
from tests.crash.rounds import Result

COLUMNS: Final = tuple(f"{action} {when}" for action in ("KILL", "STOP", "CUT") for when in ("before", "after"))
VIOLATIONS_SHOWN_MAX: Final = 20
VIOLATION_CHARACTERS_MAX: Final = 600


def table(done: Campaign, cut: Cuts, calm: Measured) -> str:
    """One line per service, flow and port: seconds until rest after each fault; ``-`` not reached, ``!`` violated."""
    return "\n".join(_lines(done, cut, calm))


def _lines(done: Campaign, cut: Cuts, calm: Measured) -> Iterator[str]:
    rows: dict[tuple[str, str, str], dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for result in done.results:
        run = result.run
        rows[run.service, run.flow, run.point.port][f"{run.point.action} {run.point.when}"].append(result)
    yield "seconds until everything is at rest again; - the point was not reached, ! a promise was broken"
    yield f"{'service':<14}{'flow':<11}{'port':<32}" + "".join(f"{name:>13}" for name in COLUMNS)
    for (service, flow, port), cells in sorted(rows.items()):
        yield f"{service:<14}{flow:<11}{port:<32}" + "".join(f"{_cell(cells[name]):>13}" for name in COLUMNS)
    yield ""
    for name, verdict in sorted(done.verdicts.items()):
        figures = ", ".join(f"{key} {value}" for key, value in verdict.figures.items())
        yield f"{name}: {len(verdict.violations)} violations; {figures}"
    fired = {f"{r.run.point.port} {r.run.point.when}" for r in done.results if r.fired}
    passed = set().union(*done.passed.values())
    without = ", ".join(sorted(passed - fired)) or "none"
    yield f"points that some process passed: {len(passed)}; without a run here: {without}"
    for name, seconds in sorted(done.blocked_seconds.items()):
        yield f"{name}: event loop blocked for at most {seconds * 1000:.0f} ms"
    for route, count in cut.fired.items():
        yield f"cut answers of {route}: {count} offsets of {cut.answers[route]} bytes"
    if cut.saves:
        yield f"cut answers: {cut.saves} saves at rest after {cut.seconds:.0f} s, {len(cut.violations)} violations"
    for measure in calm.measures:
        promised = f"promised {measure.limit:g}"
        held = "" if measure.held else "  BROKEN"
        yield f"{measure.what}: {measure.value:.2f} {measure.unit} ({promised}){held}"
    for text in _violations(done, cut, calm)[:VIOLATIONS_SHOWN_MAX]:
        yield f"VIOLATION {text[:VIOLATION_CHARACTERS_MAX]}"


def _cell(results: list[Result]) -> str:
    if not results:
        return ""
    if any(result.violations for result in results):
        return "!"
    fired = [result for result in results if result.fired]
    return " ".join(f"{result.seconds:.1f}" for result in fired) or "-"


def _violations(done: Campaign, cut: Cuts, calm: Measured) -> list[str]:
    runs = [f"{r.cell} {r.run.title}: {text}" for r in done.results for text in r.violations]
    classes = {result.run.point.action for result in done.results if result.fired}
    missing = {result.run.point.action for result in done.results} - classes
    void = [f"no process came to a point with {action}" for action in sorted(missing)]
    return runs + void + done.violations + cut.violations + calm.violations


def summary(done: Campaign, cut: Cuts, calm: Measured) -> dict[str, Any]:
    """The figures of the last line."""
    fired = [result for result in done.results if result.fired]
    return {
        "runs": len(done.results),
        "fired": len(fired),
        "faults": sum(result.fired for result in fired),
        "classes": sorted({result.run.point.action for result in fired} | ({"CUT ANSWER"} if cut.offsets else set())),
        "points": len({(r.run.service, r.run.point.port, r.run.point.when) for r in fired}),
        "offsets": cut.offsets,
        "saves": sum(result.saves for result in done.results) + cut.saves + calm.saves,
        "violations": len(_violations(done, cut, calm)),
    }

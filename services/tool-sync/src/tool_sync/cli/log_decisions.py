"""``tool-sync log decisions``: every write that was announced, decided again."""

from dataclasses import asdict
from typing import Final

from tool_sync.cli.bar import bar
from tool_sync.cli.exits import EXIT_FOUND
from tool_sync.cli.output import print_json, print_line, say_not_looked_at
from tool_sync.db import Connection
from tool_sync.queries.decided_clinics import STALE_MAX
from tool_sync.queries.decisions import DecisionsJudged, judge_decisions
from tool_sync.queries.other_rules import Without

NOT_LOOKED_AT: Final = (
    "Vapi itself: whether what was announced is what was sent",
    "deletions: a tool is deleted for what its retirement says, after its grace",
)
NOT_IN_THE_LOG: Final = "what would have been written besides, had the rule not existed"


async def show_decisions(connection: Connection, without: Without | None, *, as_json: bool) -> int:
    """Print what was found; returns the exit status, which what would have been otherwise does not change."""
    with bar() as say:
        found = await judge_decisions(connection, lambda done, total: say("log", done, total), without)
    limits = [*NOT_LOOKED_AT, *((NOT_IN_THE_LOG,) if without is not None else ())]
    if found.older:
        limits.append(f"{found.older:,} writes of older releases, which did not say on what they were decided")
    if as_json:
        print_json(
            "log decisions",
            {"ok": not found.unjustified, **asdict(found)},
            complete=not found.older,
            not_looked_at=limits,
        )
    else:
        _say(found)
        say_not_looked_at(limits)
    return EXIT_FOUND if found.unjustified else 0


def _say(found: DecisionsJudged) -> None:
    for finding in found.findings:
        print_line(f"position {finding.position}: organization {finding.org_id}: {finding.what}")
    if found.unjustified:
        print_line(f"{found.unjustified:,} of {found.writes:,} writes are not justified by the log")
    else:
        print_line(f"{found.writes:,} writes, each justified by the log up to position {found.through:,}")
    if found.without is not None:
        _say_otherwise(found, found.without)
    if found.stale_seconds:
        print_line(
            f"some were decided on a clinic's state of up to {found.stale_seconds:.1f} s before "
            f"({STALE_MAX.total_seconds():.0f} s are allowed)"
        )


def _say_otherwise(found: DecisionsJudged, rule: Without) -> None:
    for one in found.differences:
        print_line(f"position {one.position}: organization {one.org_id}: without {rule}: {one.what}")
    more = found.otherwise - len(found.differences)
    shown = f", of which {more:,} are not shown" if more else ""
    print_line(f"without {rule} {found.otherwise:,} decision(s) would have been otherwise{shown}")

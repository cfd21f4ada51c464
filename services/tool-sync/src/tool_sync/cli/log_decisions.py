"""``tool-sync log decisions``: every write that was announced, decided again."""

from dataclasses import asdict
from typing import Final

from tool_sync.cli.bar import bar
from tool_sync.cli.options import EXIT_FOUND
from tool_sync.cli.output import print_json, say_not_looked_at
from tool_sync.db import Connection
from tool_sync.queries.decisions import STALE_MAX, DecisionsJudged, judge_decisions

NOT_LOOKED_AT: Final = (
    "Vapi itself: whether what was announced is what was sent",
    "deletions: a tool is deleted for what its retirement says, after its grace",
)


async def show_decisions(connection: Connection, *, as_json: bool) -> int:
    """Print what was found; returns the exit status."""
    with bar() as say:
        found = await judge_decisions(connection, lambda done, total: say("log", done, total))
    limits = [*NOT_LOOKED_AT]
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
        print(f"position {finding.position}: organization {finding.org_id}: {finding.what}")
    if found.unjustified:
        print(f"{found.unjustified:,} of {found.writes:,} writes are not justified by the log")
    else:
        print(f"{found.writes:,} writes, each justified by the log up to position {found.through:,}")
    if found.stale_seconds:
        print(
            f"some were decided on a clinic's state of up to {found.stale_seconds:.1f} s before "
            f"({STALE_MAX.total_seconds():.0f} s are allowed)"
        )

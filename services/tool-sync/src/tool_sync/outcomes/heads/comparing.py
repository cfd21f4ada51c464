"""Heads beside the log, or beside an archive of it: what is proved of it, and what is not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from tool_sync.db import Connection
from tool_sync.log.heads import LogStands, counts_between, hashes_at, read_stands
from tool_sync.log.verify import LogVerified
from tool_sync.outcomes.heads.heads_topic import HeadsRead
from tool_sync.outcomes.heads.judge import (
    BeforeFork,
    HeadFinding,
    Judged,
    Sorted,
    judge,
    judge_former,
    sort_heads,
)
from tool_sync.outcomes.heads.keys import VerifyKeys
from zerotouch_contracts.heads import LogHead

POSITIONS_PAGE: Final = 5_000
"""Of one statement."""


@dataclass(frozen=True, slots=True)
class HeadsCompared:
    """``proved_through``: events 1 to that position are as they were signed at ``signed_at``; 0: nothing is proved.

    ``head``: the log's newest position when it was compared. ``heads``: how many signed ones of this log there are.
    """

    proved_through: int
    signed_at: datetime | None
    head: int
    heads: int
    by_strangers: int
    of_other_logs: int
    unreadable: int
    findings: tuple[HeadFinding, ...]
    notices: tuple[str, ...]
    before_fork: BeforeFork | None


async def compare(connection: Connection, read: HeadsRead, keys: VerifyKeys, verified: LogVerified) -> HeadsCompared:
    """Compare heads with a log whose chain of hashes was looked at just before. Writes nothing."""
    stands = await read_stands(connection)
    told = sort_heads(read.heads, keys, stands)
    found = await _hashes(connection, (*told.heads, *told.former))
    judged = judge(told.heads, found, stands)
    findings = await _findings(connection, told, judged, stands)
    sound = min([finding.position - 1 for finding in verified.findings] + [verified.through])
    return _compared(told, judged, findings, read.unreadable, sound, found, stands)


def compare_archived(
    read: HeadsRead, keys: VerifyKeys, stands: LogStands, hashes: Mapping[int, str], sound_through: int
) -> HeadsCompared:
    """Compare heads with an archive that was looked at: ``stands`` says where it ends, ``hashes`` what it has.

    Heads of what was appended after its end say nothing of it.
    """
    told = sort_heads((head for head in read.heads if head.position <= stands.position), keys, stands)
    judged = judge(told.heads, hashes, stands)
    return _compared(told, judged, (*told.findings, *judged.findings), read.unreadable, sound_through, hashes, stands)


def _compared(
    told: Sorted,
    judged: Judged,
    findings: tuple[HeadFinding, ...],
    unreadable: int,
    sound_through: int,
    hashes: Mapping[int, str],
    stands: LogStands,
) -> HeadsCompared:
    return HeadsCompared(
        *_proved(judged, sound_through),
        stands.position,
        len(told.heads),
        told.by_strangers,
        told.of_other_logs,
        unreadable,
        findings,
        told.notices,
        judge_former(told.former, hashes, stands),
    )


def _proved(judged: Judged, sound_through: int) -> tuple[int, datetime | None]:
    """A signed hash proves the events below it only through a chain without a fault, as far as it was looked at."""
    proving = [head for head in judged.agreed if head.position <= sound_through]
    return (proving[-1].position, proving[-1].signed_at) if proving else (0, None)


async def _hashes(connection: Connection, heads: Iterable[LogHead]) -> dict[int, str]:
    positions = sorted({head.position for head in heads})
    found: dict[int, str] = {}
    for start in range(0, len(positions), POSITIONS_PAGE):
        found |= await hashes_at(connection, positions[start : start + POSITIONS_PAGE])
    return found


async def _findings(connection: Connection, told: Sorted, judged: Judged, stands: LogStands) -> tuple[HeadFinding, ...]:
    findings = [*told.findings, *judged.findings]
    wrong = judged.first_wrong
    if wrong is not None and wrong.position <= stands.position:
        counts = await counts_between(connection, 0, wrong.position)
        if differing := _differing(wrong.counts, counts):
            last = next((n for n, one in enumerate(findings) if one.position == judged.agree_through + 1), None)
            if last is not None:
                one = findings[last]
                findings[last] = replace(one, problem=f"{one.problem}; signed were {differing}")
    return tuple(findings)


def _differing(signed: dict[str, int], found: dict[str, int]) -> str:
    kinds = sorted(signed.keys() | found.keys())
    pairs = [(kind, signed.get(kind, 0), found.get(kind, 0)) for kind in kinds]
    return ", ".join(f"{was:,} events of {kind}, not {now:,}" for kind, was, now in pairs if was != now)

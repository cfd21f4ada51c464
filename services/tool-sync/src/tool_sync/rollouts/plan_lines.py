"""A plan for people, at 80 columns: who would get what, by how many calls, in which stages, and what waits."""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Final

from tool_sync.domain.fleet.work import Tally, Work
from tool_sync.rollouts.plan import Planned
from tool_sync.rollouts.plan_gates import plan_gates

COLUMNS: Final = 80

_ROWS: Final[tuple[tuple[Work, str], ...]] = (
    ("update", "update in place (PATCH /tool)"),
    ("add", "get the tool (POST /tool, link)"),
    ("remove", "lose the tool (unlink)"),
    ("already", "already so"),
    ("left", "left as they are"),
    ("refused", "blocked: Vapi refused this definition"),
    ("unused", "without an assistant: with their first save"),
)
_LEFT_BY: Final = {"setting": "switched off", "tier": "for a higher tier", "contract": "contract not answered"}
"""Rules whose names do not speak for themselves."""
_NOT_LIVE: Final = ("pinned at Vapi", "traffic split")
_BLOCKED: Final = ("last sync failed", "key paused")


def plan_lines(planned: Planned, per_minute: int | None) -> Iterator[str]:
    """The plan for people, at 80 columns."""
    order, tally = planned.order, planned.tally
    target = "none" if order.version is None else str(order.version)
    yield from _folded(f"{order.tool} -> {target}    rollout {order.rollout_id}")
    yield f"{'':48}{'clinics':>10}{'assistants':>12}"
    for work, words in _ROWS:
        if tally.clinics[work]:
            yield f"  {words:46}{tally.clinics[work]:>10,}{tally.assistants[work]:>12,}"
        if work == "left" and tally.left_by:
            yield from _folded(f"    {_counted({_LEFT_BY.get(rule, rule): n for rule, n in tally.left_by.items()})}")
    yield from _troubles(planned)
    if tally.windows_closed:
        yield f"  {'of these, later: change window closed now':46}{tally.windows_closed:>10,}"
    if planned.words_not_open:
        yield from _folded(f"  clinics' own words that it does not take: {_counted(planned.words_not_open)}")
    yield from _folded(f"  stages  {_stages(planned)}")
    for line in plan_gates(planned.order):
        yield from _folded(line)
    if planned.outside:
        yield f"  {planned.outside:,} clinics are of no stage"
    yield f"  {tally.calls:,} calls of Vapi's{_floor(tally, per_minute)}"
    yield f"  plan {planned.digest}, as of position {planned.as_of:,}; nothing was sent"


def _troubles(planned: Planned) -> Iterator[str]:
    """What keeps callers of these clinics from their tools, whatever the order does."""
    trouble, look = planned.tally.trouble, planned.oldest_look
    for heading, kinds in (("linked, not live", _NOT_LIVE), ("blocked", _BLOCKED)):
        if found := {kind: trouble[kind] for kind in kinds if trouble[kind]}:
            yield from _folded(f"  of these {heading}: {_counted(found)}")
    if trouble and look is not None:
        hours, minutes = divmod(int(look.age_seconds) // 60, 60)
        yield f"    as last looked, {hours} h {minutes} min ago at most"


def _counted(found: Mapping[str, int]) -> str:
    return " · ".join(f"{what} {count:,}" for what, count in found.items())


def _folded(line: str) -> list[str]:
    return wrap(line, COLUMNS, subsequent_indent="          ", break_on_hyphens=False)


def _stages(planned: Planned) -> str:
    parts = []
    for stage, tally in zip(planned.order.stages, planned.stages, strict=True):
        bake = f", bake {stage.bake_seconds // 60} min" if stage.bake_seconds else ""
        parts.append(f"{stage.name}: {sum(tally.clinics.values()):,}{bake}")
    return " -> ".join(parts)


def _floor(tally: Tally, per_minute: int | None) -> str:
    if per_minute is None:
        return "; no limit of the key's rate is set"
    seconds = round(tally.calls / per_minute * 60)
    return f"; floor at {per_minute:,}/min {seconds // 60} min {seconds % 60} s"

"""Which assistants can book, of those that should: by what is wanted now, not by what was wanted at their last sync.

    should     its clinic is open and a tool is wanted for it now: by tier, settings, pins and completed orders, not
               halted
    can        its newest outcome says `synced` and names every wanted tool by the id that the clinic has, from
               whatever definition: every version that is registered is answered
    neither    deleted assistants, closed clinics, and clinics for which no tool is wanted (`no_tools`)
    not yet    a tool more for a clinic that can book with what it has, until its change window opens

Read from the log and its projections in one snapshot; Vapi is not asked.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from tool_sync.db import Connection
from tool_sync.domain.fleet.decide import TIERS
from tool_sync.queries.assistants import OUTCOME_NOW
from tool_sync.queries.change_windows import closed_windows
from tool_sync.queries.gaps import Gap, GapKind, gaps_of
from tool_sync.queries.kept import Kept

# $1: the tiers, low to high (one that is not known counts as the lowest, as in domain/wanted.py). $2: one org, or null.
# $3: the change windows that are closed now, as `opens closes time_zone`.
_JUDGED: Final = f"""
WITH wanted AS (
    SELECT o.id AS org_id, bool_and(x.vapi_tool_id IS NOT NULL) AS there, bool_or(NOT x.current) AS another,
           jsonb_agg(jsonb_build_object('name', t.name, 'vapi_tool_id', x.vapi_tool_id)) AS refs,
           jsonb_agg(jsonb_build_object('name', t.name, 'vapi_tool_id', x.vapi_tool_id) ORDER BY t.name) AS tools
      FROM organizations o
     CROSS JOIN system_tools t
      LEFT JOIN org_tool_pins p ON p.org_id = o.id AND p.tool_name = t.name AND p.version IS NOT NULL
      LEFT JOIN org_tool_settings s ON s.org_id = o.id AND s.tool_name = t.name
      LEFT JOIN LATERAL (
          SELECT vapi_tool_id, definition_hash = t.definition_hash AS current
            FROM org_tools WHERE org_id = o.id AND tool_name = t.name AND enabled) x ON true
      LEFT JOIN org_change_windows v
        ON v.org_id = o.id AND v.opens || ' ' || v.closes || ' ' || v.time_zone = ANY ($3::text[])
     WHERE (t.enabled OR (p.version IS NOT NULL AND NOT t.halted))
       AND coalesce(array_position($1::text[], coalesce(p.tier, t.tier)), 1)
           <= coalesce(array_position($1::text[], o.tier), 1)
       AND NOT o.closed AND coalesce(s.enabled, true) AND ($2::uuid IS NULL OR o.id = $2)
       AND (v.org_id IS NULL OR p.version IS NOT NULL OR x.vapi_tool_id IS NOT NULL
            OR EXISTS (SELECT FROM org_tools WHERE org_id = o.id AND tool_name = t.name AND kept_hash <> '')
            OR NOT EXISTS (SELECT FROM org_tools WHERE org_id = o.id AND kept_hash <> ''))
     GROUP BY o.id
), judged AS (
    SELECT a.org_id, a.agent_id, a.assistant_id, now.outcome, a.code, a.look_at, a.synced_tools, w.tools,
           w.org_id IS NOT NULL AS should,
           coalesce(w.there, false) AND has.linked AS can, has.linked AND w.there AND w.another AS other
      FROM assistants a
      JOIN organizations o ON o.id = a.org_id AND NOT o.closed
      LEFT JOIN wanted w ON w.org_id = a.org_id
     CROSS JOIN LATERAL (SELECT {OUTCOME_NOW} AS outcome) now
     CROSS JOIN LATERAL (SELECT coalesce(now.outcome = 'synced' AND a.synced_tools @> w.refs, false) AS linked) has
     WHERE NOT a.removed AND ($2::uuid IS NULL OR a.org_id = $2)
)
"""  # noqa: S608 - made of constants
_COUNT: Final = f"""{_JUDGED}
SELECT count(*) FILTER (WHERE should) AS assistants, count(*) FILTER (WHERE can) AS equipped,
       count(*) FILTER (WHERE other) AS other_definition, count(*) FILTER (WHERE NOT should) AS without_tools,
       count(DISTINCT org_id) AS organizations,
       (SELECT count(*) FROM system_tools WHERE enabled) AS tools,
       ARRAY(SELECT name FROM system_tools WHERE halted ORDER BY name) AS halted,
       (SELECT coalesce(max(position), 0) FROM events) AS position, clock_timestamp() AS at
  FROM judged
"""  # noqa: S608 - made of constants
_CANNOT: Final = f"""{_JUDGED}
SELECT * FROM judged WHERE should AND NOT can AND ($4::text[] IS NULL OR agent_id = ANY ($4))
   AND (NOT $6 OR outcome = 'synced') ORDER BY org_id, agent_id LIMIT $5
"""  # noqa: S608
# Beside those whose newest outcome failed, which have codes.
_WITHOUT_CODE: Final = f"""{_JUDGED}
SELECT outcome IS NULL AS is_new, count(*) AS assistants, count(DISTINCT org_id) AS organizations
  FROM judged WHERE should AND NOT can AND outcome IS DISTINCT FROM 'failed' GROUP BY 1 ORDER BY 1
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Coverage:
    """``assistants`` should book and ``equipped`` can; ``without_tools`` are of clinics for which none is wanted.

    ``other_definition`` of those that are equipped have a tool from another definition than a new clinic gets: a
    rollout has not reached them, or has reached them first. ``organizations`` is how many clinics these belong to,
    ``tools`` how many are ordered for everybody, at ``position`` of the log. ``halted`` are the tools that nobody may
    have now.
    """

    assistants: int
    equipped: int
    other_definition: int
    without_tools: int
    organizations: int
    tools: int
    position: int
    at: datetime
    halted: Sequence[str] = ()

    @property
    def percent(self) -> float:
        """100 where none should."""
        return 100.0 * self.equipped / self.assistants if self.assistants else 100.0


@dataclass(frozen=True, slots=True)
class Lack:
    """One reason why an assistant cannot book. ``tool`` and ``code`` are null where it has none."""

    kind: GapKind
    tool: str | None
    code: str | None
    what: str


@dataclass(frozen=True, slots=True)
class CannotBook:
    """An assistant that should book and cannot, with every reason; ``look_at``: when it is looked at by itself."""

    org_id: UUID
    agent_id: str
    assistant_id: str | None
    code: str | None
    look_at: datetime | None
    lacks: tuple[Lack, ...]


@dataclass(frozen=True, slots=True)
class Uncovered:
    """Assistants that should book, cannot, and have no failure to say why. ``is_new``: no sync of them has ended yet;
    else they lack a tool that is wanted by now."""

    is_new: bool
    assistants: int
    organizations: int


async def uncovered_of(connection: Connection) -> tuple[Uncovered, ...]:
    """Counted now, over all clinics."""
    rows = await connection.fetch(_WITHOUT_CODE, list(TIERS), None, await closed_windows(connection))
    return tuple(Uncovered(**dict(row)) for row in rows)


async def coverage_of(connection: Connection, org_id: UUID | None = None) -> Coverage:
    """Counted now, over all clinics or one."""
    (row,) = await connection.fetch(_COUNT, list(TIERS), org_id, await closed_windows(connection))
    return Coverage(**dict(row))


class CoverageCount(Kept[Coverage]):
    """Coverage as it is measured all the time; its ``position`` says when. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(coverage_of, clock)


async def cannot_book(
    connection: Connection,
    org_id: UUID | None = None,
    *,
    limit: int,
    agents: Sequence[str] | None = None,
    only_lacking: bool = False,
) -> tuple[CannotBook, ...]:
    """At most ``limit`` of the assistants that should book and cannot, by clinic and agent; of ``agents`` alone.

    ``only_lacking``: whose newest outcome is a success, and who lack a tool all the same.
    """
    return tuple(
        CannotBook(row["org_id"], row["agent_id"], row["assistant_id"], row["code"], row["look_at"], _lacks(row))
        for row in await connection.fetch(
            _CANNOT, list(TIERS), org_id, await closed_windows(connection), agents, limit, only_lacking
        )
    )


def _lacks(row: asyncpg.Record) -> tuple[Lack, ...]:
    named = {ref["name"]: ref["vapi_tool_id"] for ref in row["synced_tools"] or ()}
    has = {tool["name"]: tool["vapi_tool_id"] for tool in row["tools"]}
    return tuple(lack_of(gap, row["code"]) for gap in gaps_of(row["outcome"], named, has))


_LACKS: Final[Mapping[GapKind, str]] = {
    "never synced": "it was saved, and no sync of it has ended yet",
    "failed": "its newest outcome is a failure",
    "not there": "{tool} is wanted, and the clinic does not have it at Vapi yet",
    "not named": "{tool} is wanted, and the newest outcome does not name it",
    "another id": "the newest outcome names an older tool of the name {tool}",
}


def lack_of(gap: Gap, code: str | None) -> Lack:
    """The gap as a sentence; ``code`` is what a failure said."""
    what = _LACKS[gap.kind].format(tool=gap.tool)
    return Lack(gap.kind, gap.tool or None, code if gap.kind == "failed" else None, what)


def looked_at(found: Coverage, org_id: UUID | None) -> str:
    """What the count stands on, as a sentence."""
    whose = f"organization {org_id}" if org_id is not None else f"{found.organizations:,} open organizations"
    return (
        f"the newest outcome of {found.assistants + found.without_tools:,} assistants of {whose}, beside tier, "
        f"settings and {found.tools:,} tools that are ordered, at position {found.position:,}"
    )


NOT_LOOKED_AT: Final[Sequence[str]] = (
    "Vapi itself: what was changed there since the last look (`tool-sync check ORG --live` reads it now)",
    "assistants that assistant-api has not announced yet",
)

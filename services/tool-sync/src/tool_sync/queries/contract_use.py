"""Which contracts clinics had within some days: may one leave the code, and does this release have those that it needs?

has it        org_tools; a retired tool until it is deleted
had it        until an event that ended it: retired, deleted, vanished, or updated to another definition
may have it   a write of it was announced; an order that stands gives it
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tool_sync.db import Connection
from tool_sync.domain.fleet import Fleet
from tool_sync.domain.fleet.giving import given_versions
from tool_sync.queries.as_of import fleet_of
from zerotouch_contracts.tools import ANSWERED

SHOWN_MAX: Final = 10
"""Organizations that are named of each contract."""
CLOCK_MARGIN: Final = timedelta(hours=1)
"""The log's times may have gone back a little, where its clock was set: so much earlier it is looked at."""

_BOUNDS: Final = """
SELECT min(position) AS first, max(position) AS last, clock_timestamp() AS now,
       (SELECT recorded_at FROM events ORDER BY position LIMIT 1) AS since
FROM events
"""
_AT: Final = "SELECT recorded_at FROM events WHERE position = $1"
_USE: Final = """
WITH contracts AS (
  SELECT * FROM unnest($3::text[], $4::text[], $5::int[]) AS c (name, definition_hash, contract)
), by_version AS (
  SELECT * FROM unnest($6::text[], $7::int[], $8::int[]) AS c (name, version, contract)
), had AS (
  SELECT t.org_id, t.tool_name AS name, t.definition_hash, t.definition_version AS version, NULL::timestamptz AS until
  FROM org_tools t JOIN events e ON e.position = t.position
  WHERE t.enabled OR e.type = 'ToolRetired'
  UNION ALL
  SELECT e.org_id, e.data->>'name', b.data->>'definition_hash', (b.data->>'definition_version')::int, e.recorded_at
  FROM events e JOIN events b ON b.position = CASE WHEN e.type <> 'ToolUpdated' THEN e.position ELSE (
    SELECT q.position FROM events q  -- what it was before
    WHERE q.org_id = e.org_id AND q.position < e.position AND q.data->>'name' = e.data->>'name'
      AND q.type IN ('ToolRegistered', 'ToolUpdated', 'ToolReinstated')
    ORDER BY q.position DESC LIMIT 1) END
  WHERE e.position >= $1 AND e.recorded_at >= $2
    AND e.type IN ('ToolUpdated', 'ToolRetired', 'ToolDeleted', 'ToolVanished', 'ToolUpdateStarted',
                   'ToolRegistrationStarted')
)
SELECT name, contract, count(*) AS clinics, count(*) FILTER (WHERE has) AS now,
       max(until) FILTER (WHERE NOT has) AS until, (array_agg(org_id ORDER BY org_id))[1:$9] AS org_ids
FROM (
  SELECT h.name, coalesce(c.contract, v.contract) AS contract, h.org_id, bool_or(h.until IS NULL) AS has,
         max(h.until) AS until
  FROM had h
  LEFT JOIN contracts c ON c.name = h.name AND c.definition_hash = h.definition_hash
  LEFT JOIN by_version v ON v.name = h.name AND v.version = h.version
  GROUP BY 1, 2, 3) of_clinic
GROUP BY 1, 2 ORDER BY 1, 2 NULLS FIRST
"""


@dataclass(frozen=True, slots=True)
class ContractUse:
    """How a contract is used; ``contract`` None: of definitions of which the log does not say it.

    ``clinics`` had it within the days, ``now`` of them have it; ``until`` is when the newest of the others had it.
    ``org_ids`` are some of them; ``orders`` are rollouts that stand and may give it.
    """

    name: str
    contract: int | None
    clinics: int
    now: int
    until: datetime | None
    org_ids: tuple[UUID, ...] = ()
    orders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContractsUsed:
    """Of every contract that is used, as of position ``through``; ``since``: where the log begins, if it is younger."""

    uses: tuple[ContractUse, ...]
    through: int
    since: datetime | None
    names: tuple[str, ...]
    """Of all tools that were published."""

    def of(self, name: str, contract: int) -> tuple[ContractUse, ...]:
        """What keeps the contract in the code, or may: its use, and that of definitions of which it is not known."""
        return tuple(use for use in self.uses if use.name == name and use.contract in {contract, None})


async def contracts_used(connection: Connection, days: int) -> ContractsUsed:
    """Read it: a row for each clinic's tool, and the log's newest days."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        bounds = await connection.fetchrow(_BOUNDS)
        assert bounds is not None, "an aggregate has one row"
        fleet = await fleet_of(connection)
        if bounds["first"] is None:
            return ContractsUsed((), 0, None, ())
        cutoff: datetime = bounds["now"] - timedelta(days=days)
        first = await _first_after(connection, bounds["first"], bounds["last"], cutoff - CLOCK_MARGIN)
        published = list(fleet.hashes.values())
        # Of events from before documents were in the log, the version says it.
        by_version = {(one.name, one.version): one.contract for one in ANSWERED} | {
            (one.name, one.version): one.contract for of_tool in fleet.versions.values() for one in of_tool.values()
        }
        rows = await connection.fetch(
            _USE,
            first,
            cutoff,
            [one.name for one in published],
            [one.definition_hash for one in published],
            [one.contract for one in published],
            [name for name, _ in by_version],
            [version for _, version in by_version],
            list(by_version.values()),
            SHOWN_MAX,
        )
    had = [ContractUse(**{**row, "org_ids": tuple(row["org_ids"])}) for row in rows]
    since = bounds["since"] if bounds["since"] > cutoff else None
    return ContractsUsed(_with_orders(had, fleet), bounds["last"], since, fleet.names)


async def _first_after(connection: Connection, low: int, high: int, at: datetime) -> int:
    """The first position of events that are newer, or the one after all: positions are without holes."""
    high += 1
    while low < high:
        middle = (low + high) // 2
        if await connection.fetchval(_AT, middle) < at:
            low = middle + 1
        else:
            high = middle
    return low


def _with_orders(had: Sequence[ContractUse], fleet: Fleet) -> tuple[ContractUse, ...]:
    by_contract: dict[tuple[str, int | None], ContractUse] = {(use.name, use.contract): use for use in had}
    for name in fleet.names:
        for number in sorted(given_versions(fleet, name)):
            if (version := fleet.versions[name].get(number)) is None:
                continue
            key = name, version.contract
            use = by_contract.get(key) or ContractUse(name, version.contract, 0, 0, None)
            orders = (one.rollout_id for one in fleet.orders[name] if one.version == number and one.is_standing)
            by_contract[key] = replace(use, orders=(*use.orders, *orders))
    return tuple(sorted(by_contract.values(), key=lambda use: (use.name, -1 if use.contract is None else use.contract)))

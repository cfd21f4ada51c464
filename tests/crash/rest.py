"""When is a cell at rest, and what does that take? The harness's own look; the whole judgement is the checker's."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from tests.crash.cell import KEY, KEYS, Cell
from tests.faults.unrest import AT_WORK, DUE_SOON, NOT_AS_ORDERED, ROLLOUTS

EVERY_SECONDS: Final = 0.15

_API: Final = """
SELECT (SELECT count(*) FROM outbox) AS unsent, (SELECT count(*) FROM saves WHERE state = 'open') AS open,
       array(SELECT request_id::text FROM saves WHERE state = 'saved' AND org_id = ANY($1::uuid[])) AS saved
"""
_SURPLUS: Final = "SELECT (SELECT count(*) FROM unanswered_creations) + (SELECT count(*) FROM removals)"
_LOG: Final = f"""
SELECT (SELECT coalesce(max(position), 0) FROM events) AS head,
       (SELECT coalesce(min(position), 0) FROM cursors WHERE name LIKE '%-relay') AS published,
       (SELECT count(*) FROM pending_syncs
         WHERE requested > settled AND (org_id = ANY($1::uuid[]) OR cardinality($1::uuid[]) = 0)) AS pending,
       array(SELECT request ->> 'request_id' FROM events, jsonb_array_elements(data -> 'requests') AS request
              WHERE type IN ('AssistantSynced', 'AssistantSyncFailed') AND org_id = ANY($1::uuid[])) AS settled,
       array(SELECT data ->> 'code' FROM events
              WHERE type = 'AssistantSyncFailed' AND org_id = ANY($1::uuid[])) AS failed,
       {ROLLOUTS} AS rollouts,
       {NOT_AS_ORDERED} AS unfed
"""  # noqa: S608 - made of constants
_PUBLISHED: Final = """
SELECT org_id, data ->> 'agent_id' AS agent_id, max((data ->> 'sequence')::bigint) AS sequence
  FROM events WHERE type IN ('AssistantSynced', 'AssistantSyncFailed') AND data ->> 'sequence' IS NOT NULL GROUP BY 1, 2
"""
_BUSY: Final = f"SELECT {AT_WORK} + {DUE_SOON.format(seconds='$1')}"
_HEARD: Final = "SELECT org_id, agent_id, sequence FROM outcomes"


@dataclass(frozen=True, slots=True)
class Look:
    """What is still under way for some orgs of a cell, and what became of their saves."""

    under_way: dict[str, Any]
    saved: Counter[str]
    settled: Counter[str]
    failed: tuple[str, ...]


async def look(cell: Cell, orgs: Collection[str]) -> Look:
    """Look once; without orgs, at those of the whole cell."""
    api = await cell.api_db.fetchrow(_API, list(orgs))
    log = await cell.log_db.fetchrow(_LOG, list(orgs))
    assert api is not None
    assert log is not None
    saved, settled = Counter(api["saved"]), Counter(log["settled"])
    under_way = {
        "outbox": api["unsent"],
        "open saves": api["open"],
        "unsettled": len(saved.keys() - settled.keys()),
        "pending": log["pending"],
        "rollouts": log["rollouts"],
        "tools with clinics that are not as ordered": log["unfed"],
        "unpublished": log["head"] - log["published"],
    }
    return Look({name: count for name, count in under_way.items() if count}, saved, settled, tuple(log["failed"]))


async def at_rest(cell: Cell, orgs: Collection[str], within_seconds: float) -> tuple[Look, float]:
    """Wait until nothing is under way, at most so long; the last look, and how long it took."""
    began = time.monotonic()
    while True:
        seen = await look(cell, orgs)
        took = time.monotonic() - began
        if not seen.under_way or took > within_seconds:
            return seen, took
        await asyncio.sleep(EVERY_SECONDS)


async def all_heard(cell: Cell, within_seconds: float) -> dict[str, Any]:
    """Wait until nothing is under way and assistant-api has heard every newest outcome; what is not so in time.

    A surplus tool or assistant, which a pause may have made, is swept by then, too, and so is a tool that was taken
    back; whether a deletion without an answer was carried out is known.
    """
    began = time.monotonic()
    while True:
        under_way = dict((await look(cell, ())).under_way)
        published = {(r["org_id"], r["agent_id"]): r["sequence"] for r in await cell.log_db.fetch(_PUBLISHED)}
        heard = {(r["org_id"], r["agent_id"]): r["sequence"] for r in await cell.api_db.fetch(_HEARD)}
        if unheard := sum(heard.get(agent) != sequence for agent, sequence in published.items()):
            under_way["outcomes not heard of"] = unheard
        if surplus := sum(len(live["ids"]) - 1 for live in await _live_tools(cell)):
            under_way["surplus tools not swept"] = surplus
        if busy := await cell.log_db.fetchval(_BUSY, 2 * cell.times.settle):
            under_way["orgs at work, or soon"] = busy
        if unswept := await cell.api_db.fetchval(_SURPLUS):
            under_way["assistants to look for or to remove"] = unswept
        if not under_way or time.monotonic() - began > within_seconds:
            return under_way
        await asyncio.sleep(EVERY_SECONDS)


async def _live_tools(cell: Cell) -> list[dict[str, Any]]:
    summary = (await cell.vapi.get("/__sandbox/summary")).raise_for_status().json()
    live: list[dict[str, Any]] = summary["live_tools"]
    return [one for one in live if one["vapi_org"] == KEYS[KEY] and one["organization_id"] is not None]

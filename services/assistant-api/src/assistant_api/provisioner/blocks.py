"""Writes prompt blocks anew that say what is no longer so: another calendar, a tool that no caller reaches any more.

    organizations.calendar_changed_at ──► every agent of the organization ─┐ its block at Vapi
    outcomes.tools_lost_at ─────────────► that agent ──────────────────────┴► is another, by hash: a revision, in bulk

A rewrite is a revision like any other, so the provisioner, tool-sync's check of divergence and the outcome hold for it,
and a save overtakes it. Only `rewrites_open_max` are open at once, for all replicas. The marks go once every agent that
is at rest says what is so; what is on its way may have been made of what was so before, and is looked at again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import structlog

from assistant_api.db import Connection, Database
from assistant_api.prompt.block import ClinicFacts
from assistant_api.provisioner.facts import block_for, hash_of
from assistant_api.published.known import Published
from assistant_api.published.view import PublishedView
from assistant_api.settings import Settings
from assistant_api.telemetry import own_traceparent
from zerotouch_platform.loops import Wake
from zerotouch_platform.telemetry import Telemetry

ORGANIZATIONS_MAX: Final = 100
"""Looked at in one round."""

_DUE: Final = """
SELECT id FROM organizations WHERE calendar_changed_at <= now() - make_interval(secs => $1)
UNION
SELECT org_id FROM outcomes WHERE tools_lost_at <= now() - make_interval(secs => $1)
LIMIT $2
"""
_OPEN: Final = """
SELECT count(*) FROM agents WHERE bulk AND saved_revision > greatest(provisioned_revision, refused_revision)
"""
# Locked, so that the calendar stays as it was read until the mark is gone.
_CLINIC: Final = """
SELECT time_zone, opening_hours, services,
       coalesce(calendar_changed_at <= now() - make_interval(secs => $2), false) AS calendar_is_due
FROM organizations WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED
"""
_LOST: Final = "SELECT agent_id, event_id FROM outcomes WHERE org_id = $1 AND tools_lost_at IS NOT NULL"
_AGENTS: Final = """
SELECT a.id, a.block_hash, a.provisioned_revision, a.refused_revision >= a.saved_revision AS refused,
       a.saved_revision > greatest(a.provisioned_revision, a.refused_revision) AS on_its_way,
       reachable_versions(x.tools, x.tool_versions, x.failed_tools) AS tools
FROM agents a
LEFT JOIN outcomes x ON x.org_id = a.org_id AND x.agent_id = a.id
     AND x.assistant_id = a.vapi_assistant_id AND x.revision <= a.saved_revision
WHERE a.org_id = $1 AND ($2 OR a.id = ANY($3)) ORDER BY a.id
"""
_REQUEST: Final = "SELECT request_rewrites($1, $2, $3)"
_UNMARK_CLINIC: Final = """
UPDATE organizations SET calendar_changed_at = CASE WHEN $2 THEN now() END WHERE id = $1
"""
# Only the outcomes that were looked at: a newer one may have lost a tool meanwhile.
_UNMARK_OUTCOMES: Final = """
WITH looked_at AS (
    SELECT o.org_id, o.agent_id FROM outcomes o
    JOIN unnest($2::text[], $3::text[]) AS l(agent_id, event_id)
         ON o.agent_id = l.agent_id AND o.event_id = l.event_id
    WHERE o.org_id = $1 ORDER BY o.org_id, o.agent_id FOR NO KEY UPDATE OF o
)
UPDATE outcomes o SET tools_lost_at = CASE WHEN $4 THEN now() END
FROM looked_at l WHERE o.org_id = l.org_id AND o.agent_id = l.agent_id
"""

_log: Final = structlog.get_logger()


class BlockRewrites:
    """``provisioner`` is woken when it has something to write; ``writes_suspended`` as there."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        telemetry: Telemetry,
        published: PublishedView,
        *,
        provisioner: Wake,
        writes_suspended: Callable[[], bool],
    ) -> None:
        self._database, self._settings, self._telemetry, self._published = database, settings, telemetry, published
        self._provisioner, self._writes_suspended = provisioner, writes_suspended

    async def run_once(self) -> int:
        """Ask for what is due to be written anew; how many agents."""
        if self._writes_suspended():
            return 0
        delay_seconds = self._settings.rewrite_delay_seconds
        async with self._database.connection() as connection:
            due = await connection.fetch(_DUE, delay_seconds, ORGANIZATIONS_MAX)
            room = self._settings.rewrites_open_max - (await connection.fetchval(_OPEN) if due else 0)
        asked = 0
        for row in due:
            if asked >= room:
                break
            asked += await self._rewrite(row["id"], room - asked)
        if asked:
            self._provisioner()
        return asked

    async def _rewrite(self, org_id: UUID, room: int) -> int:
        """Ask for at most ``room`` agents of one organization; the marks go once nothing is left to look at."""
        published = await self._published.known()
        async with self._database.transaction() as connection:
            clinic = await connection.fetchrow(_CLINIC, org_id, self._settings.rewrite_delay_seconds)
            if clinic is None:  # gone, or somebody is at it
                return 0
            everybody = clinic["calendar_is_due"]
            lost = await connection.fetch(_LOST, org_id)
            names, events = [row["agent_id"] for row in lost], [row["event_id"] for row in lost]
            agents = [dict(row) for row in await connection.fetch(_AGENTS, org_id, everybody, names)]
            facts = ClinicFacts(clinic["time_zone"], clinic["opening_hours"], clinic["services"])
            stale = _stale(facts, agents, published)
            asked = await self._ask(connection, org_id, stale[:room]) if stale else 0
            if len(stale) <= room:
                again = any(agent["on_its_way"] for agent in agents)
                if everybody:
                    await connection.execute(_UNMARK_CLINIC, org_id, again)
                await connection.execute(_UNMARK_OUTCOMES, org_id, names, events, again)
        return asked

    async def _ask(self, connection: Connection, org_id: UUID, agent_ids: Sequence[str]) -> int:
        with self._telemetry.span("rewrite prompt blocks", attributes={"org_id": str(org_id)}) as span:
            asked = int(await connection.fetchval(_REQUEST, org_id, agent_ids, own_traceparent(span)))
        _log.info("prompt_blocks_outdated", org_id=str(org_id), agents=asked)
        return asked


def _stale(clinic: ClinicFacts, agents: Sequence[Mapping[str, Any]], published: Published) -> list[str]:
    """The agents at rest whose block at Vapi is another than the one that they should have.

    Not those that Vapi refuses: what it refused is what would be sent again, and the next save brings the block, too.
    """
    return [
        agent["id"]
        for agent in agents
        if agent["provisioned_revision"] > 0 and not agent["refused"] and not agent["on_its_way"]
        if agent["block_hash"] != hash_of(block_for(clinic, agent["tools"], published))
    ]

"""The read-back: what a stage touched, as Vapi lists it. A stage is done when all of it is there as ordered.

GET /tool?updatedAtGe=…, 1,000 a page ─► as ordered: done
                                      ─► not listed, or otherwise: read by its id, a few a turn
                                                                   ─► as ordered: the list lagged
                                                                   ─► not: told to the clinic, whose run mends it
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from tool_sync.db import Pool
from tool_sync.domain.events import ToolDriftSeen
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.log import fact, org_stream
from tool_sync.publishing.overlay import overlay_of_json, worded
from tool_sync.sync.asking import KeyHeld, Turn, ask
from tool_sync.sync.context import Context
from tool_sync.sync.texts import TEXTS
from tool_sync.vapi.accounts import Unusable
from tool_sync.vapi.documents import differing, holds_tool
from tool_sync.vapi.failures import VapiFailure, unless_gone
from zerotouch_contracts.canonical import canonical_hash
from zerotouch_contracts.tools import ToolMarker

SOURCE: Final = "/zerotouch/tool-sync/read-back"
READS_PER_TURN: Final = 20
LISTED_TOGETHER: Final = 200
"""So many listed tools are compared with their rows at a time."""

# A stage of 50,000 clinics is never here as a whole: of what was seen the ids are, and nothing else.
_TOUCHED: Final = "tool_name = $1 AND rollout_id = $2 AND enabled AND updated_at >= $3 AND definition_hash = $4"
_OF_CLINICS: Final = f"""
SELECT org_id, vapi_tool_id, position, overlay, {TEXTS} AS texts FROM org_tools t
 WHERE {_TOUCHED} AND org_id = ANY ($5::uuid[])
"""  # noqa: S608 - made of constants
_ACCOUNTS: Final = f"""
SELECT own.account, (array_agg(org_id))[1] AS org_id FROM org_tools t LEFT JOIN vapi_accounts own USING (org_id)
 WHERE {_TOUCHED} GROUP BY own.account
"""  # noqa: S608 - made of constants
_UNSEEN: Final = f"""
SELECT org_id, vapi_tool_id, position, overlay, {TEXTS} AS texts, count(*) OVER () AS unseen
  FROM org_tools t LEFT JOIN vapi_accounts own USING (org_id)
  LEFT JOIN unnest($5::text[]) AS seen (id) ON seen.id = vapi_tool_id
 WHERE {_TOUCHED} AND own.account IS NOT DISTINCT FROM $6 AND seen.id IS NULL ORDER BY position LIMIT $7
"""  # noqa: S608 - made of constants
_NEWEST: Final = f"SELECT max(updated_at) FROM org_tools WHERE {_TOUCHED}"  # noqa: S608 - made of constants

log = structlog.get_logger(__name__)


class ReadBack:
    """One stage's. Tools that were seen as ordered once are not asked for again.

    ``done_at``: when the newest of them was written, once all were seen; where there is none, when the stage opened.
    """

    def __init__(self, context: Context, pool: Pool, order: Order) -> None:
        self._context, self._pool, self._order = context, pool, order
        self._seen: set[str] = set()
        self._told: set[int] = set()
        self._given_hash = "" if order.gives is None else order.gives.definition_hash
        self._opened_at = order.opened_at or order.started_at
        # Whoever was pinned to another version since has it by the pin, and not by the stage.
        self._touched = (order.tool, order.rollout_id, self._opened_at, self._given_hash)
        self._listed = set[str | None]()  # accounts; None is the platform's
        self.done_at: datetime | None = None

    async def missing(self, fleet: Fleet) -> int:
        """How many of the stage's tools were not seen as ordered yet, after a further look at some of them.

        Raises :class:`~tool_sync.sync.asking.KeyHeld` and :class:`VapiFailure`: what was seen by then stays seen.
        """
        missing, trouble = 0, None
        for account in await self._pool.fetch(_ACCOUNTS, *self._touched):
            try:
                missing += await self._look(fleet, account["account"], account["org_id"])
            except (KeyHeld, VapiFailure) as error:  # one account's: what the others have is seen all the same
                trouble = error
        if trouble is not None:
            raise trouble
        if not missing and self.done_at is None:
            self.done_at = await self._pool.fetchval(_NEWEST, *self._touched) or self._opened_at
        return missing

    async def _look(self, fleet: Fleet, own: str | None, org_id: UUID) -> int:
        """How many are left in one account, which is that of ``org_id``."""
        if not (unseen := await self._unseen(own)):
            return 0
        context = await self._context.of(org_id)
        if isinstance(context, Unusable):
            raise KeyHeld(await self._context.accounts.wait_for(context, self._context.clock.now()))
        if own not in self._listed:
            await self._look_through(context, fleet)
            self._listed.add(own)
            unseen = await self._unseen(own)
        missing: int = unseen[0]["unseen"] if unseen else 0
        for row in unseen:
            if await self._read(context, fleet, row):
                self._seen.add(row["vapi_tool_id"])
                missing -= 1
        return missing

    async def _unseen(self, own: str | None) -> list[asyncpg.Record]:
        """The first of them in one account."""
        return await self._pool.fetch(_UNSEEN, *self._touched, list(self._seen), own, READS_PER_TURN)

    async def _look_through(self, context: Context, fleet: Fleet) -> None:
        since, turn = context.vapi_time_before(self._opened_at), Turn("bulk")
        together: list[Mapping[str, Any]] = []
        async for tool in context.vapi.tools_updated_since(since, lambda call: ask(context, call, turn)):
            together.append(tool)
            if len(together) == LISTED_TOGETHER:
                await self._compare(context, fleet, together)
                together.clear()
        await self._compare(context, fleet, together)

    async def _compare(self, context: Context, fleet: Fleet, tools: Sequence[Mapping[str, Any]]) -> None:
        """By the clinics that they name: one that names none is not as ordered."""
        clinics = [marker.org_id for tool in tools if (marker := ToolMarker.of(tool)) is not None]
        found = await self._pool.fetch(_OF_CLINICS, *self._touched, clinics)
        rows = {row["vapi_tool_id"]: row for row in found}
        for tool in tools:
            row = rows.get(tool["id"])
            if row is not None and self._is_as_ordered(context, fleet, row, tool):
                self._seen.add(tool["id"])

    def _is_as_ordered(self, context: Context, fleet: Fleet, row: asyncpg.Record, tool: Mapping[str, Any]) -> bool:
        sent = self._sent(context, fleet, row)
        return sent is not None and holds_tool(tool, sent)

    def _sent(self, context: Context, fleet: Fleet, row: asyncpg.Record) -> dict[str, Any] | None:
        """What the clinic's tool was sent with; of words that are lost, what the version says."""
        document = fleet.document(self._order.tool, self._given_hash)
        if document is None:
            return None
        return worded(context.document_for(document, row["org_id"]), overlay_of_json(row["overlay"]), row["texts"])

    async def _read(self, context: Context, fleet: Fleet, row: asyncpg.Record) -> bool:
        tool_id: str = row["vapi_tool_id"]
        tool = await unless_gone(ask(context, lambda: context.vapi.get_tool(tool_id), Turn("bulk")))
        if tool is not None and self._is_as_ordered(context, fleet, row, tool):
            return True
        if row["position"] not in self._told:  # once for each write of ours that is not there
            self._told.add(row["position"])
            await self._tell(context, fleet, row, tool)
        return False

    async def _tell(self, context: Context, fleet: Fleet, row: asyncpg.Record, tool: Mapping[str, Any] | None) -> None:
        org_id: UUID = row["org_id"]
        tool_id: str = row["vapi_tool_id"]
        log.warning("A tool is not at Vapi as ordered", org_id=str(org_id), id=tool_id, gone=tool is None)
        drift = ToolDriftSeen(context.vapi.account, self._order.tool, tool_id, gone=tool is None)
        sent = self._sent(context, fleet, row)
        if tool is not None and sent is not None:
            differs = differing(tool, sent)
            drift = replace(drift, differs=tuple(sorted(differs)), found=canonical_hash(differs))
        cause = f"{self._order.rollout_id}:{self._order.open_stage}:{tool_id}:{row['position']}"
        await self._context.log.append(
            fact(
                org_stream(org_id), org_id, drift, source=SOURCE, cause=cause, actor="tool-sync",
                service_version=self._context.service_version,
            )
        )  # fmt: skip

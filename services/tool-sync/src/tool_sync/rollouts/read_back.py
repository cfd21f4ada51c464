"""The read-back: what a stage touched, as Vapi lists it. A stage is done when all of it is there as ordered.

GET /tool?updatedAtGe=…, 1,000 a page ─► as ordered: done
                                      ─► not listed, or otherwise: read by its id, a few a turn
                                                                   ─► as ordered: the list lagged
                                                                   ─► not: told to the clinic, whose run mends it
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import structlog

from tool_sync.db import Pool
from tool_sync.domain.events import ToolDriftSeen
from tool_sync.domain.fleet import Fleet, Order
from tool_sync.log import fact, org_stream
from tool_sync.sync.asking import Turn, ask
from tool_sync.sync.blueprint import document_for
from tool_sync.sync.context import Context
from tool_sync.vapi.documents import holds
from tool_sync.vapi.failures import VapiFailure
from zerotouch_platform.vapi.answers import Meaning

SOURCE: Final = "/zerotouch/tool-sync/read-back"
READS_PER_TURN: Final = 20

_TOUCHED: Final = """
SELECT org_id, vapi_tool_id, definition_hash FROM org_tools
 WHERE tool_name = $1 AND rollout_id = $2 AND enabled AND updated_at >= $3
"""

log = structlog.get_logger(__name__)


class ReadBack:
    """One stage's. Tools that were seen as ordered once are not asked for again."""

    def __init__(self, context: Context, pool: Pool, order: Order) -> None:
        self._context, self._pool, self._order = context, pool, order
        self._seen: set[str] = set()
        self._told: set[str] = set()
        self._is_listed = False

    async def missing(self, fleet: Fleet) -> int:
        """How many of the stage's tools were not seen as ordered yet, after a further look at some of them.

        Raises :class:`~tool_sync.sync.asking.KeyHeld` and :class:`VapiFailure`: what was seen by then stays seen.
        """
        order = self._order
        opened_at = order.opened_at or order.started_at
        rows = await self._pool.fetch(_TOUCHED, order.tool, order.rollout_id, opened_at)
        unseen = {row["vapi_tool_id"]: dict(row) for row in rows if row["vapi_tool_id"] not in self._seen}
        if not unseen:
            return 0
        if not self._is_listed:
            since = self._context.vapi_time_before(opened_at)
            async for tool in self._context.vapi.tools_updated_since(
                since, lambda call: ask(self._context, call, _BULK)
            ):
                row = unseen.get(tool["id"])
                if row is not None and self._is_as_ordered(fleet, row, tool):
                    self._seen.add(tool["id"])
                    del unseen[tool["id"]]
            self._is_listed = True
        for tool_id in list(unseen)[:READS_PER_TURN]:
            if await self._read(fleet, unseen[tool_id]):
                self._seen.add(tool_id)
                del unseen[tool_id]
        return len(unseen)

    def _is_as_ordered(self, fleet: Fleet, row: Mapping[str, Any], tool: Mapping[str, Any]) -> bool:
        document = fleet.document(self._order.tool, row["definition_hash"])
        return document is not None and holds(tool, document_for(document, row["org_id"]))

    async def _read(self, fleet: Fleet, row: Mapping[str, Any]) -> bool:
        tool_id: str = row["vapi_tool_id"]
        tool: Mapping[str, Any] | None
        try:
            tool = await ask(self._context, lambda: self._context.vapi.get_tool(tool_id), _BULK)
        except VapiFailure as failure:
            if failure.meaning is not Meaning.GONE:
                raise
            tool = None
        if tool is not None and self._is_as_ordered(fleet, row, tool):
            return True
        if tool_id not in self._told:
            self._told.add(tool_id)
            await self._tell(row["org_id"], tool_id, gone=tool is None)
        return False

    async def _tell(self, org_id: UUID, tool_id: str, *, gone: bool) -> None:
        log.warning("A tool is not at Vapi as ordered", org_id=str(org_id), id=tool_id, gone=gone)
        drift = ToolDriftSeen(self._context.vapi.account, self._order.tool, tool_id, gone)
        cause = f"{self._order.rollout_id}:{self._order.open_stage}:{tool_id}"
        await self._context.log.append(
            fact(
                org_stream(org_id), org_id, drift, source=SOURCE, cause=cause, actor="tool-sync",
                service_version=self._context.service_version,
            )
        )  # fmt: skip


_BULK: Final = Turn("bulk")

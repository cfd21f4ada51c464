"""The read-back: what a stage touched, as Vapi lists it. A stage is done when all of it is there as ordered.

GET /tool?updatedAtGe=…, 1,000 a page ─► as ordered: done
                                      ─► not listed, or otherwise: read by its id, a few a turn
                                                                   ─► as ordered: the list lagged
                                                                   ─► not: told to the clinic, whose run mends it
"""

from collections.abc import Mapping
from datetime import datetime
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
from tool_sync.vapi.documents import holds_tool
from tool_sync.vapi.failures import VapiFailure
from zerotouch_platform.vapi.answers import Meaning

SOURCE: Final = "/zerotouch/tool-sync/read-back"
READS_PER_TURN: Final = 20

_TOUCHED: Final = """
SELECT org_id, vapi_tool_id, definition_hash, position, updated_at FROM org_tools
 WHERE tool_name = $1 AND rollout_id = $2 AND enabled AND updated_at >= $3
"""

log = structlog.get_logger(__name__)


class ReadBack:
    """One stage's. Tools that were seen as ordered once are not asked for again.

    ``done_at``: when the newest of them was written, once all were seen; where there is none, when the stage opened.
    """

    def __init__(self, context: Context, pool: Pool, order: Order) -> None:
        self._context, self._pool, self._order = context, pool, order
        self._seen: set[str] = set()
        self._told: set[int] = set()
        self._is_listed = False
        self.done_at: datetime | None = None

    async def missing(self, fleet: Fleet) -> int:
        """How many of the stage's tools were not seen as ordered yet, after a further look at some of them.

        Raises :class:`~tool_sync.sync.asking.KeyHeld` and :class:`VapiFailure`: what was seen by then stays seen.
        """
        order = self._order
        opened_at = order.opened_at or order.started_at
        rows = await self._pool.fetch(_TOUCHED, order.tool, order.rollout_id, opened_at)
        unseen = {row["vapi_tool_id"]: dict(row) for row in rows if row["vapi_tool_id"] not in self._seen}
        if unseen and not self._is_listed:
            await self._look_through(fleet, unseen, opened_at)
            self._is_listed = True
        for tool_id in list(unseen)[:READS_PER_TURN]:
            if await self._read(fleet, unseen[tool_id]):
                self._seen.add(tool_id)
                del unseen[tool_id]
        if not unseen and self.done_at is None:
            self.done_at = max((row["updated_at"] for row in rows), default=opened_at)
        return len(unseen)

    async def _look_through(self, fleet: Fleet, unseen: dict[str, dict[str, Any]], opened_at: datetime) -> None:
        since, turn = self._context.vapi_time_before(opened_at), Turn("bulk")
        listed = self._context.vapi.tools_updated_since(since, lambda call: ask(self._context, call, turn))
        async for tool in listed:
            row = unseen.get(tool["id"])
            if row is not None and self._is_as_ordered(fleet, row, tool):
                self._seen.add(tool["id"])
                del unseen[tool["id"]]

    def _is_as_ordered(self, fleet: Fleet, row: Mapping[str, Any], tool: Mapping[str, Any]) -> bool:
        document = fleet.document(self._order.tool, row["definition_hash"])
        return document is not None and holds_tool(tool, document_for(document, row["org_id"]))

    async def _read(self, fleet: Fleet, row: Mapping[str, Any]) -> bool:
        tool_id: str = row["vapi_tool_id"]
        tool: Mapping[str, Any] | None
        try:
            tool = await ask(self._context, lambda: self._context.vapi.get_tool(tool_id), Turn("bulk"))
        except VapiFailure as failure:
            if failure.meaning is not Meaning.GONE:
                raise
            tool = None
        if tool is not None and self._is_as_ordered(fleet, row, tool):
            return True
        if row["position"] not in self._told:  # once for each write of ours that is not there
            self._told.add(row["position"])
            await self._tell(row, gone=tool is None)
        return False

    async def _tell(self, row: Mapping[str, Any], *, gone: bool) -> None:
        org_id: UUID = row["org_id"]
        tool_id: str = row["vapi_tool_id"]
        log.warning("A tool is not at Vapi as ordered", org_id=str(org_id), id=tool_id, gone=gone)
        drift = ToolDriftSeen(self._context.vapi.account, self._order.tool, tool_id, gone)
        cause = f"{self._order.rollout_id}:{self._order.open_stage}:{tool_id}:{row['position']}"
        await self._context.log.append(
            fact(
                org_stream(org_id), org_id, drift, source=SOURCE, cause=cause, actor="tool-sync",
                service_version=self._context.service_version,
            )
        )  # fmt: skip

"""Pages of the account's lists. A list lags, so that it can only acquit: everything else in it is suspected.

Each page is worked through with the rows as they are after it was read: what a newer row says and an older page does
not show is read by its id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tool_sync.domain.drift import is_as_told
from tool_sync.domain.reach import Known, NamedTool, named_ids
from tool_sync.domain.toolset import Assistant
from tool_sync.sync.auto_sync.tools import rows_of_orgs, told_of
from tool_sync.sync.bulk_reads import BulkReads
from tool_sync.sync.effects.named import named_tool
from tool_sync.sync.object_looks import Kind, ObjectLooks, Ours
from tool_sync.sync.rows import synced_by_id
from tool_sync.sync.walks import ClaimedPage, Walks
from tool_sync.vapi.walk import Walk, after_page
from zerotouch_contracts.canonical import model_hash
from zerotouch_contracts.tools import ToolMarker
from zerotouch_platform.cooperative import ITEMS_AT_ONCE, yielding_every
from zerotouch_platform.vapi.answers import resource_of

LIMIT_MIN: Final = 50
WALK_SHARE: Final = 0.8
"""Of the period, for one walk: an object moves a little within the list from one walk to the next."""
PAGES_PER_PERIOD_MIN: Final = 15
"""A small account that grows at once is noticed in time to be walked through within the period."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pages:
    """Reads the lists of one account."""

    reads: BulkReads
    looks: ObjectLooks
    walks: Walks

    async def read_due(self, kind: Kind) -> bool:
        """Read the next page of a list, if it is due; whether the one behind it is due at once."""
        token = self.reads.context.new_id()
        page = await self.walks.claim(kind, token)
        if page is None:
            return False
        began_at = self.reads.context.clock.now()
        answered = await self.reads.ask(lambda: self.reads.context.vapi.page_of(kind, page.walk.window, page.limit))
        if answered is None:  # too long to be read: smaller pages from now on
            await self.walks.store(kind, token, page.walk, max(LIMIT_MIN, page.limit // 4), timedelta())
            return page.limit > LIMIT_MIN
        documents = [document for item in answered if (document := resource_of(item)) is not None]
        await (self._tools if kind == "tool" else self._assistants)(documents, began_at)
        after = after_page(page.walk, answered, page.limit)
        pause = self._pause(page, after)
        await self.walks.store(kind, token, after, page.limit, pause)
        return not pause

    def _pause(self, page: ClaimedPage, after: Walk) -> timedelta:
        """Pages are spread over the period; the parts of a full one, and the very first walk, are read at once."""
        if (page.first and not after.finished) or len(after.bounds) > len(page.walk.bounds):
            return timedelta()
        return min(self.looks.period * WALK_SHARE / len(after.bounds), self.looks.period / PAGES_PER_PERIOD_MIN)

    async def _assistants(self, documents: Sequence[Document], began_at: datetime) -> None:
        context = self.reads.context
        by_id = {document["id"]: document for document in documents}
        # What an account shows is of its own clinics alone.
        rows = [row for row in await synced_by_id(self.looks.pool, list(by_id)) if context.is_home_of(row[0])]
        ids = {one for _, row in rows for one in named_ids(by_id[row.assistant_id])}
        named = await context.store.named_tools(context.vapi.account, sorted(ids)) if ids else {}
        judged: list[tuple[Ours, bool]] = []
        async for org_id, row in yielding_every(ITEMS_AT_ONCE, rows):
            is_good = self._is_as_told(by_id[row.assistant_id], org_id, row, named)
            judged.append((Ours(org_id, row.agent_id, row.assistant_id), is_good))
        await self._note("assistant", judged, began_at)

    async def _note(self, kind: Kind, judged: Sequence[tuple[Ours, bool]], began_at: datetime) -> None:
        """Those that are as they should be are acquitted, the others suspected."""
        await self.looks.looked(kind, [ours for ours, is_good in judged if is_good], began_at)
        await self.looks.suspected(kind, [ours for ours, is_good in judged if not is_good], began_at)

    def _is_as_told(self, document: Document, org_id: UUID, row: Assistant, named: Mapping[str, NamedTool]) -> bool:
        """With what the tables hold, which is less than the log: whatever they do not explain is suspected."""
        ids = frozenset(ref.vapi_tool_id for ref in row.synced)
        names = frozenset(ref.name for ref in row.synced)
        known = Known(self.reads.context.blueprint.installation_id, org_id, tool_ids=ids, registered=names)
        model = document.get("model")
        return isinstance(model, dict) and is_as_told(document, row, model_hash(model), known=known, named=named)

    async def _tools(self, documents: Sequence[Document], began_at: datetime) -> None:
        context = self.reads.context
        by_id = {document["id"]: document for document in documents}
        markers = (ToolMarker.of(document) for document in documents)
        tools = await rows_of_orgs(self.looks.pool, {marker.org_id for marker in markers if marker is not None})
        judged = [
            (Ours(tool.org_id, tool.name, tool.vapi_tool_id), told_of(context, tool, document) is None)
            for tool in tools
            if context.is_home_of(tool.org_id) and (document := by_id.pop(tool.vapi_tool_id, None)) is not None
        ]
        await self._note("tool", judged, began_at)
        await self._keep_named([named_tool(tool_id, document) for tool_id, document in by_id.items()])

    async def _keep_named(self, others: Sequence[NamedTool]) -> None:
        """Tools of others spare the look at an assistant that names them. What a read by id did not find stays gone."""
        context = self.reads.context
        account, ids = context.vapi.account, [tool.vapi_tool_id for tool in others]
        known = await context.store.named_tools(account, ids) if ids else {}
        kept = [tool for tool in others if (before := known.get(tool.vapi_tool_id)) is None or before.exists]
        if kept:
            await context.store.keep_named_tools(account, kept)

"""Takes what an agent left out of an assistant that it had (ADR 22).

    GET the assistant ── ids that nobody has looked at ──► GET each tool: whose is it? ──► again
                      ── something of ours is there ─────► PATCH, fenced ────────────────► again
                      ── nothing is there, or 404 ───────► done

The PATCH follows the GET with nothing of Vapi's between them, and carries only the fields that change: Vapi has no
version check, and somebody may be at work in the dashboard. It is sent at most once for one look; the look after it is
what says that it is done. A write that was begun is in the row: after a crash nobody looks before it can land no more.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from assistant_api.db import Database
from assistant_api.document import AgentMarker
from assistant_api.removals.leftovers import is_tool_of, linked_ids, without_leftovers
from assistant_api.removals.store import Removal, begin_write, holder_of, renew, write_answered
from assistant_api.settings import Settings
from assistant_api.vapi.answers import Found, Gone, Later, Refused, Unknown
from assistant_api.vapi.client import VapiClient
from zerotouch_contracts.errors import ErrorCode

LOOKS_MAX: Final = 6
"""One finds the tools, one writes, one verifies; the rest is for others who write meanwhile."""
TOOLS_AT_ONCE: Final = 5

_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Clean:
    """Nothing of ours is on the assistant, or there is none."""


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """The row is somebody else's: the lease ran out, or the agent has its assistant again."""


Outcome = Clean | LeaseLost | Later | Refused


@dataclass(frozen=True, slots=True)
class Releases:
    """What every release needs."""

    database: Database
    vapi: VapiClient
    settings: Settings

    async def run(self, removal: Removal) -> Outcome:
        """Take out what ``removal`` means, and say how far that got."""
        assert removal.assistant_id is not None
        async with self.database.connection() as connection:
            holder = await holder_of(connection, removal, removal.assistant_id)
        if holder is not None and holder[0] == removal.org_id:
            return Clean()  # the tools are its organization's, and its own save writes block and mark
        mark = AgentMarker(self.settings.installation_id, removal.org_id, removal.agent_id)
        ours: dict[str, bool] = {}
        for _ in range(LOOKS_MAX):
            match await self.vapi.get(removal.assistant_id, save=False):
                case Found(assistant):
                    step = await self._step(removal, mark, assistant, ours)
                    if step is not None:
                        return step
                case Gone():
                    return Clean()
                case Refused(code=ErrorCode.ASSISTANT_TOO_LARGE) as refused:
                    return refused
                case Refused():  # no id of Vapi's
                    return Clean()
                case Later() as later:
                    return later
        return Later(ErrorCode.VAPI_CONFLICT)

    async def _step(
        self, removal: Removal, mark: AgentMarker, assistant: Mapping[str, Any], ours: dict[str, bool]
    ) -> Outcome | None:
        """What follows from one look; None: look again. ``ours`` says of each tool's id whether its link goes."""
        unread = [tool_id for tool_id in linked_ids(assistant) if tool_id not in ours]
        if unread:
            return await self._read_tools(removal, mark, unread, ours)
        change = without_leftovers(assistant, mark, {tool_id for tool_id, goes in ours.items() if goes})
        if not change:
            return Clean()
        return await self._write(removal, change)

    async def _read_tools(
        self, removal: Removal, mark: AgentMarker, tool_ids: Sequence[str], ours: dict[str, bool]
    ) -> Outcome | None:
        for place in range(0, len(tool_ids), TOOLS_AT_ONCE):
            async with self.database.connection() as connection:
                if not await renew(connection, removal, self.settings.removal_lease_seconds):
                    return LeaseLost()
            some = tool_ids[place : place + TOOLS_AT_ONCE]
            answers = await asyncio.gather(*(self.vapi.get_tool(tool_id, save=False) for tool_id in some))
            for tool_id, answer in zip(some, answers, strict=True):
                match answer:
                    case Found(tool):
                        ours[tool_id] = is_tool_of(mark, tool)
                    case Gone() | Refused():
                        # Nobody can say any more whose it was, so it stays. tool-sync has the log, and names it.
                        ours[tool_id] = False
                    case Later() as later:
                        return later
        return None

    async def _write(self, removal: Removal, change: Mapping[str, Any]) -> Outcome | None:
        assert removal.assistant_id is not None
        asked_at = time.monotonic()  # before the key and the row: a pause in either of them counts
        ticket = await self.vapi.key.admit(save=False)
        if isinstance(ticket, Later):
            return ticket
        # In the row before the call: an agent that is given this assistant meanwhile waits until the write has landed.
        async with self.database.connection() as connection:
            if not await begin_write(connection, removal, self.settings.removal_lease_seconds):
                return LeaseLost()
        if time.monotonic() - asked_at >= self.settings.send_window_seconds:
            answer: Found | Gone | Refused | Later | Unknown = Later(ErrorCode.SEND_WINDOW_MISSED)
        else:
            answer = await self.vapi.update(removal.assistant_id, change, ticket)
        if isinstance(answer, Unknown):  # the row says that it was begun: the next look waits until it has landed
            return Later(answer.code)
        async with self.database.connection() as connection:
            await write_answered(connection, removal)
        match answer:
            case Found():
                _log.info("assistant_leftovers_removed", fields=sorted(change), assistant_id=removal.assistant_id)
                return None  # look again: somebody may have written meanwhile
            case Gone():
                return Clean()
            case Refused() | Later():
                return answer

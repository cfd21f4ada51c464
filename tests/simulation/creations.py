"""assistant-api makes assistants with the tools that their clinic is known to have (ADR 35).

A step of it is a process like tool-sync's: it can be killed and paused at every await, and tries again. What was sent
lands whatever becomes of the sender, also long after it was decided: no rule of ours sees a sender that sleeps between
its last look at a clock and the bytes on the wire. Which ids it may write is the service's own rule.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from assistant_api import known_tools
from assistant_api.known_tools import KnownTools
from tool_sync.domain import events as e

from .checks import Checks
from .clinic import Clinic
from .database import Database, seconds_of
from .lives import Lives
from .process import outside
from .vapi import CALL_SECONDS, CONNECT_SECONDS, SEND_SLACK_SECONDS, Server

HEARD_SECONDS = 0.3
"""From an outcome in the log to assistant-api's table."""
SETTLE_SECONDS = 20.0
HELD_SECONDS_MAX = 1_800.0
"""How long an assistant may name a tool that does not exist: tool-sync takes it out when it hears of the assistant.
A run that the database cut off comes back after the longest poll, which is 600 s here.
"""


@dataclass(slots=True)
class _Row:
    """A new agent. ``attempt_at``: of a creation without an answer, by ``attempts``."""

    org_id: UUID
    agent_id: str
    asleep: Callable[[], Awaitable[None]] | None
    attempts: int = 0
    attempt_at: float | None = None
    assistant_id: str | None = None
    told: bool = False

    @property
    def prompt(self) -> str:
        return f"prompt 1 of {self.agent_id}"


@dataclass(slots=True)
class Creations:
    """Creations, one process each. ``grace_seconds`` is tool-sync's."""

    database: Database
    clinic: Clinic
    server: Server
    lives: Lives
    checks: Checks
    grace_seconds: float
    window_seconds: float

    async def make(self, org_id: UUID, name: str, asleep: Callable[[], Awaitable[None]] | None = None) -> None:
        """A new agent, until its assistant is made and tool-sync is told. ``asleep``: the sleep of its first sender."""
        row = _Row(org_id, name, asleep)
        while not row.told and org_id not in self.clinic.closed:
            await self.lives.live(f"assistant-api {name}", self._step(row))

    async def _step(self, row: _Row) -> None:
        now = asyncio.get_running_loop().time
        if row.attempt_at is not None:  # the process before this one died: a creation is not repeated blindly
            await asyncio.sleep(max(0.0, row.attempt_at + SETTLE_SECONDS - now()))
            row.assistant_id, row.attempt_at = self._made_by(row), None
        if row.assistant_id is None:
            asked_at = now()
            tool_ids = self._known(row.org_id)
            row.attempts, row.attempt_at = row.attempts + 1, asked_at
            await self.clinic.a_moment(0.1)  # the attempt is stored
            if now() - asked_at >= self.window_seconds:
                row.attempt_at = None
                return
            row.assistant_id = await self._send(row, tool_ids)
        await self.clinic.a_moment(0.1)  # the answer is stored
        row.told = True
        outside(self.clinic.take_in(row.org_id, row.agent_id, row.assistant_id, row.prompt))

    async def _send(self, row: _Row, tool_ids: list[str]) -> str:
        now = asyncio.get_running_loop().time
        sent_at, (asleep, row.asleep) = now(), (row.asleep, None)
        if asleep is not None:
            await asleep()
        await asyncio.sleep(CONNECT_SECONDS)
        return await asyncio.shield(outside(self._land(row, tool_ids, slept=now() - sent_at > SEND_SLACK_SECONDS)))

    async def _land(self, row: _Row, tool_ids: list[str], *, slept: bool) -> str:
        await asyncio.sleep(CALL_SECONDS / 2)
        mark = self.clinic.mark(row.org_id, row.agent_id) | {"zerotouch_attempt": str(row.attempts)}
        model = {"provider": "openai", "model": "gpt-4o", "messages": [{"role": "system", "content": row.prompt}]}
        if tool_ids:
            model["toolIds"] = list(tool_ids)
        made = self.server.make_assistant({"name": row.agent_id, "model": model, "metadata": mark})
        self.checks.reached["made with known tools"] += bool(tool_ids)
        if gone := [tool_id for tool_id in tool_ids if tool_id not in self.server.tools]:
            if slept or set(gone) <= self.server.lost:
                self.checks.reached["made with a deleted tool"] += 1
                outside(self._is_mended(made["id"], gone))
            else:
                now = asyncio.get_running_loop().time()
                self.checks.violated(now, f"{row.agent_id} is made with {gone[0]}, which does not exist")
        await asyncio.sleep(CALL_SECONDS / 2)
        return str(made["id"])

    async def _is_mended(self, assistant_id: str, gone: list[str]) -> None:
        await asyncio.sleep(HELD_SECONDS_MAX)
        links = self.server.assistants.get(assistant_id, {"model": {}})["model"].get("toolIds") or ()
        if held := [tool_id for tool_id in gone if tool_id in links]:
            now = asyncio.get_running_loop().time()
            self.checks.violated(now, f"{assistant_id} names {held[0]} since {HELD_SECONDS_MAX:g} s, and it is gone")

    def _made_by(self, row: _Row) -> str | None:
        mark = self.clinic.mark(row.org_id, row.agent_id) | {"zerotouch_attempt": str(row.attempts)}
        found = (id_ for id_, made in self.server.assistants.items() if made.get("metadata") == mark)
        return next(found, None)

    def _known(self, org_id: UUID) -> list[str]:
        """By the newest outcome that has been heard of."""
        now = asyncio.get_running_loop().time()
        newest: KnownTools | None = None
        for stored in self.database.by_org.get(org_id, ()):
            event, at = stored.event, seconds_of(stored.recorded_at)
            outcome = isinstance(event, e.AssistantSynced | e.AssistantSyncFailed) and event.sequence is not None
            if outcome and at <= now - HEARD_SECONDS:
                tools = event.tools if isinstance(event, e.AssistantSynced) else ()
                newest = KnownTools("platform", tuple(ref.vapi_tool_id for ref in tools), now - at)
        return known_tools.usable(
            newest, vapi_account="platform", grace_seconds=self.grace_seconds, behind_seconds=HEARD_SECONDS
        )

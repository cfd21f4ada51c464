"""What must hold when the grace of what is to be deleted has passed, too."""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from .checks import Checks
from .clinic import Clinic
from .database import Database
from .rest import Rest
from .vapi import Server

LOOK_SECONDS: Final = 600.0
DAY_SECONDS: Final = 24 * 3600.0
LOOKS_MAX: Final = int(2 * DAY_SECONDS / LOOK_SECONDS)


@dataclass(frozen=True, slots=True)
class Grace:
    """Two days at most after a run has come to rest, in which nobody does anything.

    ``watch_seconds``: how long a closed clinic is watched.
    """

    database: Database
    server: Server
    clinic: Clinic
    checks: Checks
    rest: Rest
    watch_seconds: float

    async def passes(self) -> None:
        """Wait until nothing is left to delete, and judge; a closed clinic is then watched for a while."""
        for _ in range(LOOKS_MAX):
            if not any(map(self._left_to_delete, self.database.by_org)):
                break
            await asyncio.sleep(LOOK_SECONDS)
        for org_id in self.database.by_org:
            self._check_tools(org_id)
            self._check_links(org_id)
        closed = {org_id: len(events) for org_id, events in self.database.by_org.items() if self._is_closed(org_id)}
        if closed:
            await asyncio.sleep(self.watch_seconds)
        for org_id, events in closed.items():
            lease = self.database.leases.get(org_id)
            if len(self.database.by_org[org_id]) > events or (lease is not None and lease.next_due is not None):
                self._violated(f"closed org {org_id} is not left alone: {lease}")

    def _left_to_delete(self, org_id: UUID) -> list[str]:
        state = self.rest.state_of(org_id)
        return [*state.retired, *state.surplus, *state.suspects]

    def _is_closed(self, org_id: UUID) -> bool:
        return org_id in self.clinic.closed

    def _check_tools(self, org_id: UUID) -> None:
        """Vapi has the tools that the log says, and no other; of a closed clinic none."""
        if left := self._left_to_delete(org_id):
            self._violated(f"org {org_id} still has to delete {left}")
        known = {ref.vapi_tool_id for ref in self.rest.state_of(org_id).tools.values()}
        live = self._live(org_id)
        if known != live or (known and self._is_closed(org_id)):
            self._violated(f"org {org_id} has {sorted(live)} at Vapi, and the log says {sorted(known)}")

    def _check_links(self, org_id: UUID) -> None:
        """Nobody links what is gone."""
        live = self._live(org_id)
        for agent in self.rest.agents(org_id):
            links = self.server.assistants[agent.assistant_id]["model"].get("toolIds", [])
            if gone := {link for link in links if link.startswith("tool-")} - live:
                self._violated(f"{agent.agent_id} links {sorted(gone)}, and {org_id} has it not")

    def _live(self, org_id: UUID) -> set[str]:
        return {tool_id for tool_id in self.server.tools if self.server.owner_of(tool_id) == org_id}

    def _violated(self, what: str) -> None:
        self.checks.violated(asyncio.get_running_loop().time(), f"after the grace: {what}")

"""assistant-api's database is set back to a backup, as `docs/runbooks/restore-assistant-api.md` has it.

    backup ··· lost: agents, saves, deletions ··· stop ► restore (revisions above all that was published) ► start

Then people do what the command printed: what was deleted is deleted again, and what was made is made again under its
id, which takes up the assistant that carries its mark.
"""

import asyncio
from dataclasses import dataclass, replace
from random import Random

from .checks import Checks
from .clinic import Agent, Clinic
from .vapi import Server

BACKUP_SECONDS_MAX = 25.0
LOST_SECONDS_MAX = 25.0
STOPPED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RowsSetBack:
    """The operator."""

    clinic: Clinic
    server: Server
    checks: Checks
    dice: Random

    async def live(self) -> None:
        """One restore."""
        backup: list[Agent] = []  # a quarter of them are of a time before the first agent
        if self.dice.random() < 0.75:
            await asyncio.sleep(BACKUP_SECONDS_MAX * self.dice.random())
            backup = [replace(agent, at_work=asyncio.Lock()) for agent in self.clinic.agents if not agent.removed]
        await asyncio.sleep(LOST_SECONDS_MAX * self.dice.random())
        lost = self.clinic.set_back(backup)
        await asyncio.sleep(STOPPED_SECONDS)
        self.checks.reached["agents set back"] += len(backup)
        again = [self._deleted_again(agent) or agent for agent in backup]
        for agent in (*(one for one in again if not one.removed), *self._made_again(lost, backup)):
            await self.clinic.save(agent, "auto_sync")

    def _deleted_again(self, agent: Agent) -> Agent | None:
        if agent.org_id in self.clinic.closed or agent.assistant_id not in self.server.assistants:
            self.clinic.remove(agent)
            return agent
        return None

    def _made_again(self, lost: list[Agent], backup: list[Agent]) -> list[Agent]:
        kept = {(agent.org_id, agent.agent_id) for agent in backup}
        made = [agent for agent in lost if not agent.removed and (agent.org_id, agent.agent_id) not in kept]
        self.checks.reached["agents made again"] += len(made)
        return [self.clinic.made_again(agent) for agent in made]

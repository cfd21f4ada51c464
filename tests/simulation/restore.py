"""tool-sync's database is set back to a backup, as `docs/runbooks/restore.md` has it.

    backup ··· lost, but not at Vapi and not in Kafka ··· stop ► settle ► list ► fork ► start ► read again

Saves go on meanwhile and wait in the topic. What operators wrote into the log is lost for good.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from tool_sync.admin.lost_tools import find_lost_tools
from tool_sync.vapi.client import VapiClient
from tool_sync.vapi.failures import VapiFailure

from .checks import Checks
from .database import Database
from .ports import SimStore
from .releases import INSTALLATION
from .topic import Topic

BACKUP_SECONDS_MAX = 40.0
LOST_SECONDS_MAX = 40.0
AGAIN_SECONDS = 5.0
"""Until the operator enters a command again that has said that nothing was changed."""


class Workers(Protocol):
    """The processes of tool-sync."""

    def stop_all(self) -> None:
        """None of them runs, or is started again by anybody."""
        ...

    def start_all(self) -> None:
        """All run."""
        ...


@dataclass(frozen=True, slots=True)
class Restore:
    """The operator. ``vapi`` is the command's own client; ``settle_seconds`` how long a call may still land."""

    database: Database
    store: SimStore
    topic: Topic
    checks: Checks
    workers: Workers
    vapi: Callable[[], VapiClient]
    settle_seconds: float
    dice: Random

    async def live(self) -> None:
        """One restore, or two of one backup; some to before the first event."""
        backup, known = Database(), Checks()
        if self.dice.random() < 0.75:
            await asyncio.sleep(BACKUP_SECONDS_MAX * self.dice.random())
            backup, known = self.database.copy(), self.checks.of_log()
        for _ in range(self.dice.choice((1, 1, 2))):
            await asyncio.sleep(LOST_SECONDS_MAX * self.dice.random())
            await self.back_to(backup, known)

    async def back_to(self, backup: Database, known: Checks) -> None:
        """One restore: ``known`` is what was known of the log when it was copied."""
        self.workers.stop_all()
        self.topic.is_read = False
        self.checks.reached["restored events"] += len(self.database.events) - len(backup.events)
        self.database.set_back(backup)
        self.checks.set_back(known)
        await asyncio.sleep(self.settle_seconds)
        await self._fork()
        self.workers.start_all()
        await self.topic.read_again()

    async def _fork(self) -> None:
        """`tool-sync log fork`; where Vapi does not list its tools nothing was changed, and it is entered again."""
        newest = self.database.events[-1].recorded_at if self.database.events else None
        while True:
            try:
                lost = await find_lost_tools(self.vapi(), INSTALLATION, newest)
            except VapiFailure:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            known = {tool.vapi_tool_id for tool in self.database.lost_tools}
            self.database.lost_tools += [tool for tool in lost if tool.vapi_tool_id not in known]
            self.database.forked_at = asyncio.get_running_loop().time()
            for tool in lost:
                if (lease := self.database.leases.get(tool.org_id)) is not None:
                    lease.next_due = self.database.forked_at
            self.store.forget_named()
            self.checks.reached["lost tools listed"] += len(lost)
            return

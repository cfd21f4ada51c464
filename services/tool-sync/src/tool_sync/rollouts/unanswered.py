"""Contracts that clinics have and that not every live assistant-api answers: told as soon as a release lacks one.

A clinic keeps the tool that it has (rule `contract` of ``decide_tool``), so its callers meet a tool that nobody
answers. That must not wait for somebody who listens to a call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from tool_sync import db
from tool_sync.domain.fleet import Fleet
from tool_sync.log import Log, LogUnavailable, UnknownEvent
from tool_sync.queries.held import HeldVersion, held_versions
from tool_sync.sync.blueprint import read_fleet
from zerotouch_platform.loops import Loop

LOOK_SECONDS: Final = 300.0
"""Reads a row for each clinic's tool."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """So many clinics have a tool of a contract that is not answered."""

    tool: str
    contract: int
    clinics: int


class UnansweredContracts:
    """``found`` is what was found last."""

    def __init__(self, pool: db.Pool, event_log: Log) -> None:
        self._pool, self._log = pool, event_log
        self.found: Sequence[Unanswered] = ()
        self.loop: Final = Loop(
            self.run_once,
            LOOK_SECONDS,
            "Unanswered contracts are not looked for",
            (LogUnavailable, UnknownEvent, *db.WAITED_OUT_ERRORS),
            fault="Unanswered contracts failed for a fault of ours",
        )

    async def run_once(self) -> None:
        """Look, and tell of what is new."""
        found = unanswered(await read_fleet(self._log), await held_versions(self._pool))
        before = {(one.tool, one.contract) for one in self.found}
        for one in found:
            if (one.tool, one.contract) not in before:
                log.error(
                    "A contract that clinics have is not answered",
                    tool=one.tool,
                    contract=one.contract,
                    clinics=one.clinics,
                    alarm=True,
                )
        self.found = found


def unanswered(fleet: Fleet, held: Sequence[HeldVersion]) -> Sequence[Unanswered]:
    """By tool and contract, the lowest first. Of a definition that is not known nothing is said."""
    clinics: dict[tuple[str, int], int] = {}
    for one in held:
        contract = one.contract(fleet)
        if contract and (one.name, contract) not in fleet.answered:
            clinics[one.name, contract] = clinics.get((one.name, contract), 0) + one.clinics
    return tuple(Unanswered(*key, count) for key, count in sorted(clinics.items()))

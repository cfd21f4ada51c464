"""Reads every assistant at Vapi that the log calls synced, and names those whose callers do not reach our tool.

    clinics, by id ──► their assistants without known trouble ──► Look.assistant ──► is it still so? ──► unreached

One after the other: bulk work, for which the key's rate leaves what saves do not need.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from tool_sync.admin.checked import CheckedClinic, KnownAssistant, clinic_of
from tool_sync.admin.live import Look, LookStopped, Met
from tool_sync.db import Pool
from tool_sync.queries.audit.looked import LiveRead, Unreached
from tool_sync.queries.organizations import open_organizations

PAGE: Final = 500
TRIES: Final = 2


@dataclass(slots=True)
class _Tally:
    assistants: int = 0
    known: int = 0
    not_shown: int = 0
    unreached: list[Unreached] = field(default_factory=list)
    not_read: list[str] = field(default_factory=list)
    not_looked_at: dict[str, None] = field(default_factory=dict)

    def note(self, clinic: CheckedClinic, met: Met) -> None:
        """Count an assistant that was asked for."""
        if met.not_read is not None:
            self.not_shown += 1
            return
        self.assistants += 1
        self.not_looked_at |= dict.fromkeys(met.not_looked_at)
        if met.trouble:
            what = "; ".join(trouble.said for trouble in met.trouble)
            self.unreached.append(Unreached(clinic.org_id, met.agent_id, met.assistant_id, what))


async def read_all(pool: Pool, look: Look, on_assistant: Callable[[int], None] = lambda _: None) -> LiveRead:
    """Read until all were, or Vapi or the key says stop. ``on_assistant`` hears how many were read so far."""
    tally = _Tally()
    try:
        async for clinic in _clinics(pool):
            if clinic.more:
                tally.not_read.append(
                    f"assistants of clinic {clinic.org_id} after its {len(clinic.assistants):,} first"
                )
            for known in clinic.assistants if clinic.wanted else ():
                if known.trouble:
                    tally.known += 1
                elif (met := await _met(pool, look, clinic, known)) is not None:
                    tally.note(clinic, met)
                    on_assistant(tally.assistants)
    except LookStopped as stopped:
        tally.not_read.append(f"everything after the first {tally.assistants:,} assistants: {stopped}")
    if tally.not_shown:
        tally.not_read.append(f"{tally.not_shown:,} assistants that Vapi did not show")
    return LiveRead(
        tally.assistants,
        look.calls,
        tally.known,
        tuple(tally.unreached),
        tuple(tally.not_read),
        tuple(tally.not_looked_at),
    )


async def _clinics(pool: Pool) -> AsyncIterator[CheckedClinic]:
    last = UUID(int=0)
    while page := await open_organizations(pool, last, PAGE):
        for org_id in page:
            yield await _clinic(pool, org_id)
        last = page[-1]


async def _clinic(pool: Pool, org_id: UUID, agent_id: str | None = None) -> CheckedClinic:
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        return await clinic_of(connection, org_id, agent_id)


async def _met(pool: Pool, look: Look, clinic: CheckedClinic, known: KnownAssistant) -> Met | None:
    """What its next caller meets; None where the log does not call it synced any more.

    Trouble is looked at again beside newer rows: a sync may have ended, or begun, between the rows and the read.
    """
    met = await look.assistant(clinic, known)
    for _ in range(TRIES - 1):
        if met.can_book:
            break
        clinic = await _clinic(pool, clinic.org_id, known.agent_id)
        if not clinic.wanted or not clinic.assistants or clinic.assistants[0].trouble:
            return None
        look.forget()
        met = await look.assistant(clinic, clinic.assistants[0])
    return met

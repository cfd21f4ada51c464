"""The nemesis: a seeded schedule, one fault every five seconds or so, some of them overlapping.

Every class comes once before any comes again, so a run of three minutes has them all.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.chaos import network_faults, process_faults, restore_faults, server_faults, vapi_faults
from tests.chaos.field import Fault, Field

GAP_SECONDS: Final = (4.6, 5.4)
FAULTS: Final = (
    *process_faults.FAULTS,
    *server_faults.FAULTS,
    *restore_faults.FAULTS,
    *network_faults.FAULTS,
    *vapi_faults.FAULTS,
)
CLASSES: Final = tuple(fault.name for fault in FAULTS)


@dataclass(frozen=True, slots=True)
class Due:
    """A fault and when it comes, in seconds from the start."""

    at: float
    fault: Fault


def schedule(dice: Random, seconds: float, faults: Sequence[Fault] = FAULTS) -> list[Due]:
    """When which fault comes; the same dice make the same schedule."""
    found: list[Due] = []
    at, round_of_all = 0.0, list[Fault]()
    while True:
        at += dice.uniform(*GAP_SECONDS)
        if at > seconds:
            return found
        if not round_of_all:
            came = Counter(due.fault.name for due in found)
            left = [it for it in faults if it.times_max is None or came[it.name] < it.times_max]
            round_of_all = dice.sample(left, len(left))
        found.append(Due(at, round_of_all.pop()))


async def torment(field: Field, plan: Sequence[Due]) -> None:
    """Inject all faults of a plan, each at its time, and wait until the last is over."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for due in plan:
            await asyncio.sleep(max(0.0, began + due.at - loop.time()))
            group.create_task(_inject(field, due.fault), name=due.fault.name)


async def _inject(field: Field, fault: Fault) -> None:
    async with field.window(fault.name):
        await fault.act(field)

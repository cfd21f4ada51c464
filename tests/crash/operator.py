"""A person who runs the platform: types commands, each a process of its own, and types one again that was killed, or
that says that it cannot go on, as its connection to the database is lost.

A rollout of another version of the booking tool, with a pause in it; one that some clinics do not get yet, as they are
pinned or keep to their hours; and a tool that is given to every clinic and taken back again. What a command that was
killed has written is found out as a person would, by looking.
"""

import asyncio
import json
import signal
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from tests.crash.cell import A, Agent, Cell
from tests.faults.entry import COMMAND
from tests.faults.gate import FROM_START
from tests.support.eventually import until

BOOKING: Final = "bookClinicAppointment"
CANCELLING: Final = "cancelAppointment"
CANNOT: Final = 2
"""The exit status of a command that lacks something, such as its database."""
REFUSED: Final = 3
"""The exit status of a command that would change nothing, or may not."""
TYPED_MAX: Final = 6
STOP_SECONDS: Final = 3.5
OVER_SECONDS: Final = 25.0
PINNED_SECONDS: Final = 10.0
"""Longer than a command takes that is stopped and typed again; the pin is refused after that."""
AWAY: Final = timedelta(hours=3)

_NEWEST: Final = """
SELECT data ->> $3 FROM events WHERE type = $1 AND org_id IS NULL AND coalesce(data ->> 'tool', data ->> 'name') = $2
 ORDER BY position DESC LIMIT 1
"""
_VERSION: Final = "SELECT definition_version FROM org_tools WHERE org_id = $1 AND tool_name = $2"
_EXPIRED: Final = """
SELECT coalesce((SELECT max(position) FROM events WHERE stream = 'org-' || $1 AND type = 'ToolPinned'), 0)
     <= coalesce((SELECT max((data ->> 'pinned_at')::bigint) FROM events
                   WHERE stream = 'toolset-' || $1 AND type = 'ToolPinExpired'), 0)
"""
_STATES: Final = "SELECT array_agg(type ORDER BY position) FROM events WHERE stream = $1"


async def rollout(cell: Cell, agents: Sequence[Agent]) -> None:
    """Another text of the booking tool: two clinics first, then all; somebody pauses it and lets it go on."""
    rollout_id = await _ordered(cell, BOOKING, agents)
    await command(cell, "rollout", "pause", rollout_id, "--reason", "to look")
    await command(cell, "rollout", "resume", rollout_id, "--reason", "looked")
    await _over(cell, rollout_id)


async def takeback(cell: Cell, agents: Sequence[Agent]) -> None:
    """A tool that no clinic had is given to every clinic, and taken away."""
    rollout_id = await _ordered(cell, CANCELLING, agents)
    await _over(cell, rollout_id)
    await command(cell, "rollout", "rollback", rollout_id, "--reason", "no good")


async def spared(cell: Cell, agents: Sequence[Agent]) -> None:
    """Another text of the booking tool, while one clinic is pinned for a moment, and one until its pin is taken back;
    the change window of a third is closed until it is removed."""
    moment, pinned, shut = (agent.org_id for agent in agents[1:4])
    opens = datetime.now(UTC) + AWAY
    await command(cell, "window", "set", shut, f"{opens:%H:%M}-{opens + AWAY:%H:%M}", "--reason", "a test")
    await _pin(cell, pinned, timedelta(days=1))
    await _pin(cell, moment, timedelta(seconds=PINNED_SECONDS))
    rollout_id = await _ordered(cell, BOOKING, agents)
    await _over(cell, rollout_id)
    await command(cell, "org", "unpin", pinned, BOOKING, "--reason", "looked")
    await command(cell, "window", "remove", shut, "--reason", "a test")

    async def has_ended() -> bool:
        return bool(await cell.log_db.fetchval(_EXPIRED, moment))

    await until(has_ended, OVER_SECONDS)  # where it does not, the checker finds it


async def _pin(cell: Cell, org_id: str, ends_in: timedelta) -> None:
    version = await cell.log_db.fetchval(_VERSION, uuid.UUID(org_id), BOOKING)
    ends = (datetime.now(UTC) + ends_in).isoformat()
    await command(cell, "org", "pin", org_id, f"{BOOKING}@{version}", "--until", ends, "--reason", "to wait")


async def command(cell: Cell, *words: str) -> int:
    """Type a command of tool-sync's until it ends by itself; its exit status."""
    for _ in range(TYPED_MAX):
        point = cell.operator_point
        env = cell.env(A) | {COMMAND: json.dumps(words)}
        if point is not None:
            env[FROM_START] = json.dumps(point.document())
        process = await cell.ground.hub.start(
            f"{cell.name} operator", "tool_sync_command", env, cell.folder / "operator.log"
        )
        firing, ending = (asyncio.create_task(event.wait()) for event in (process.fired, process.ended))
        await asyncio.wait([firing, ending], return_when=asyncio.FIRST_COMPLETED)
        firing.cancel()
        fired = process.fired.is_set() or process.status == -signal.SIGKILL
        if point is not None and fired:
            cell.operator_point = None
            cell.ledger.fault(f"{point.action} at a port", "operator", detail=f"{point.when} {point.port}")
            if point.action == "STOP":
                await asyncio.sleep(STOP_SECONDS)
                process.signal(signal.SIGCONT)
        await ending
        assert process.status is not None
        was_cut = fired and point is not None and point.action == "CUT" and process.status == CANNOT
        if process.status != -signal.SIGKILL and not was_cut:
            assert process.status in (0, 1, REFUSED), f"{cell.name}: {words}: {process.status}; see {process.log}"
            return process.status
    raise AssertionError(f"{cell.name}: {words} did not end by itself {TYPED_MAX} times")


async def _ordered(cell: Cell, tool: str, agents: Sequence[Agent]) -> str:
    """Publish and order another version of a tool; the rollout's id."""
    file, stages = cell.folder / "tool.toml", cell.folder / "stages.toml"
    file.write_text(f'name = "{tool}"\ncontract = 2\ndescription = "Does it. Text {uuid.uuid4()}."\n')
    pilots = json.dumps([agent.org_id for agent in agents[:2]])
    stages.write_text(f'[[stage]]\nname = "pilots"\norgs = {pilots}\n\n[[stage]]\nname = "all"\npercent = 100\n')
    await command(cell, "blueprint", "publish", str(file), "--reason", "a test")
    version = int(await _newest(cell, "BlueprintPublished", tool, "version"))
    status = 0
    for _ in range(TYPED_MAX):  # a plan may be untrue by the time at which it is applied
        status = await command(cell, "rollout", "plan", f"{tool}@{version}", "--stages", str(stages))
        rollout_id = await _newest(cell, "RolloutPlanned", tool, "rollout_id")
        await command(cell, "rollout", "apply", rollout_id, "--reason", "a text")
        if "RolloutStarted" in await _states(cell, rollout_id):
            return rollout_id
    raise AssertionError(f"{cell.name}: {tool}@{version} cannot be ordered: {status}; see operator.log")


async def _over(cell: Cell, rollout_id: str) -> None:
    """Wait until it is complete; what is not by then, the look at rest finds."""

    async def is_over() -> bool:
        return "RolloutCompleted" in await _states(cell, rollout_id)

    await until(is_over, OVER_SECONDS)


async def _newest(cell: Cell, event: str, tool: str, field: str) -> str:
    return str(await cell.log_db.fetchval(_NEWEST, event, tool, field))


async def _states(cell: Cell, rollout_id: str) -> Sequence[str]:
    return await cell.log_db.fetchval(_STATES, f"rollout-{rollout_id}") or ()

"""One fix reaches every clinic: a tool's file is shipped to all of them, a caller hears it, and it is rolled back.

The commands are the real ones, each a process of its own with the stack's environment. Calls are counted in the
sandbox's journal, by what was executed there.
"""

import asyncio
import re
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from devstack.options import say
from devstack.stack import Stack
from devstack.walkthrough import Clinic, Outcomes, WalkthroughFailed, call
from zerotouch_contracts.tools import BOOK_CLINIC_APPOINTMENT

CLINICS: Final = 50
SAVES_AT_ONCE: Final = 10
COMMAND_SECONDS_MAX: Final = 60.0
JOURNAL_PAGE: Final = 10_000
FILE: Final = Path(__file__).with_name("one_fix.toml")
BOOK: Final = BOOK_CLINIC_APPOINTMENT.name

_STARTED: Final = re.compile(r"^rollout (\S+) has started", re.MULTILINE)
_ROUTE: Final = "PATCH /tool/{id}"


@dataclass(frozen=True, slots=True)
class Rollout:
    """What shipping took. ``orgs``: clinics whose tool was changed; ``calls``: writes to tools at Vapi."""

    orgs: int
    seconds: float
    calls: int


async def ship_to_every_clinic(stack: Stack, http: httpx.AsyncClient, outcomes: Outcomes, caller: str) -> Rollout:
    """Save clinics, ship the file, let a caller of the assistant `caller` hear it, and take it back.

    Raises :class:`WalkthroughFailed` where a command fails, or a caller hears something else.
    """
    say(f"\n{CLINICS} more clinics save an assistant each:")
    say(f"  all have their tools after {await _save_clinics(http, outcomes):.1f} s")

    say("\nCallers think that the line is dead while the tool works. One fix for every clinic, one command:")
    before, began = await _journal_end(stack), time.monotonic()
    output = await tool_sync(stack, "ship", str(FILE), "--reason", "callers think that the line is dead", "--yes")
    seconds = time.monotonic() - began
    updates = await _updates(stack, before)
    orgs = len({entry["path"] for entry in updates})
    say(f"  {orgs} of {CLINICS + 1} clinics have it: {len(updates)} calls of Vapi's, {seconds:.1f} s after the command")
    if orgs != CLINICS + 1:
        raise WalkthroughFailed(f"{orgs} clinics have the new version, of {CLINICS + 1}")

    told = await _called(stack, caller, "11:00")
    say(f"  A caller books, and hears first: {' '.join(told) or 'nothing'}")
    rollout = rollout_of(output)
    say("\nSomebody prefers it as it was:")
    await tool_sync(stack, "rollout", "rollback", rollout, "--reason", "too many words", "--follow")
    still_told = await _called(stack, caller, "11:30")
    say(f"  A caller books, and hears first: {' '.join(still_told) or 'nothing'}")
    if not told or still_told:
        raise WalkthroughFailed(f"callers heard {told} with the new version, and {still_told} once it was rolled back")
    return Rollout(orgs, round(seconds, 3), len(updates))


async def tool_sync(stack: Stack, *arguments: str) -> str:
    """Run a command of tool-sync, each line of its output said as it comes; returns all of it."""
    say(f"$ tool-sync {shlex.join(_shown(argument) for argument in arguments)}")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tool_sync",
        *arguments,
        env=stack.command_env("tool_sync"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    lines = []
    try:
        async with asyncio.timeout(COMMAND_SECONDS_MAX):
            async for line in process.stdout:
                lines.append(line.decode())
                say(f"  {lines[-1].rstrip()}")
            status = await process.wait()
    except TimeoutError as late:
        raise WalkthroughFailed(f"tool-sync {arguments[0]} took more than {COMMAND_SECONDS_MAX:.0f} s") from late
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status != 0:
        raise WalkthroughFailed(f"tool-sync {arguments[0]} ended with status {status}")
    return "".join(lines)


def rollout_of(output: str) -> str:
    """The id of the rollout that a command says it has started."""
    found = _STARTED.search(output)
    if found is None:
        raise WalkthroughFailed("the command did not say which rollout it started")
    return found[1]


async def _save_clinics(http: httpx.AsyncClient, outcomes: Outcomes) -> float:
    """The seconds until every save has its outcome."""
    at_once = asyncio.Semaphore(SAVES_AT_ONCE)

    async def save(number: int) -> Any:
        async with at_once:
            clinic = await Clinic.create(http, f"Clinic {number}")
            return await clinic.save_agent(f"front-desk-{number}")

    began = time.monotonic()
    for saved in await asyncio.gather(*(save(number) for number in range(1, CLINICS + 1))):
        await outcomes.of(saved.request_id)
    return time.monotonic() - began


async def _called(stack: Stack, assistant_id: str, at: str) -> tuple[str, ...]:
    """What a caller who books is told while the tool works."""
    day = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()
    patient = {"patientName": "Katherine Johnson", "patientPhone": "+49 30 3456789", "service": "Check-up"}
    made = await call(stack, assistant_id, BOOK, {**patient, "appointmentDate": day, "appointmentTime": at})
    return made.spoken


async def _journal_end(stack: Stack) -> int:
    total: int = (await _control(stack, "/__sandbox/summary", {}))["requests_total"]
    return total


async def _updates(stack: Stack, after: int) -> list[dict[str, Any]]:
    """The updates of tools that Vapi executed after a place in its journal."""
    found = await _control(stack, "/__sandbox/journal", {"after": after, "limit": JOURNAL_PAGE, "method": "PATCH"})
    return [entry for entry in found["entries"] if entry["route"] == _ROUTE and entry["executed"]]


async def _control(stack: Stack, path: str, params: Mapping[str, str | int]) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=stack.surroundings.vapi_base_url, timeout=15.0) as sandbox:
        answer: dict[str, Any] = (await sandbox.get(path, params=dict(params))).raise_for_status().json()
        return answer


def _shown(argument: str) -> str:
    return Path(argument).name if Path(argument).is_absolute() else argument

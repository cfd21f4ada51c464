"""*System*: is it ready, who leads, how far topics are read, what the key does, what was set aside, how it is set.

What is in a table is of all processes; the rest is of the one that answers, and of its workers here. Kafka is not
asked. A page costs about ten small statements, and a question to each worker beside this one.
"""

import platform
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, is_dataclass
from typing import Annotated, Final, Literal

import structlog
from fastapi import APIRouter, Path, Request
from starlette.responses import HTMLResponse, Response

from tool_sync.admin import dead_letters, lost_records
from tool_sync.console.access import FormRefused, PlatformPage, own_form, reason_of
from tool_sync.console.lights import key_light
from tool_sync.console.pages import page, see_other
from tool_sync.console.process import Process
from tool_sync.console.sandbox_dials import NoSandbox
from tool_sync.console.state import console_of, reads
from tool_sync.db import Connection
from tool_sync.http.access import actor_of
from tool_sync.http.commands import installed
from tool_sync.http.problems import Problem
from tool_sync.http.state import state_of
from tool_sync.outcomes.heads.signer import HEADS_LOCK
from tool_sync.outcomes.published import ALL
from tool_sync.queries.dead_letters import open_letters
from tool_sync.queries.standing import leaders, topics_read, used_this_minute
from tool_sync.vapi.rate_limit import paused_keys
from zerotouch_platform.auth import Platform
from zerotouch_platform.kafka.ledger import open_losses

LETTERS_SHOWN: Final = 20
LOSSES_SHOWN: Final = 20
NOTE_CHARACTERS_SHOWN: Final = 400

log = structlog.get_logger(__name__)

router = APIRouter()

RowId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Turned = Literal["errors", "limit", "key", "heal"]


@dataclass(frozen=True, slots=True)
class Leads:
    """Who does ``what``, in words."""

    what: str
    who: str


@router.get("/system")
async def get_system(request: Request, caller: PlatformPage) -> HTMLResponse:
    """The page."""
    return await _page(request, caller)


@router.post("/system/letters/{row}/acknowledge")
async def post_letter(request: Request, row: RowId, caller: PlatformPage) -> Response:
    """Close a record that was set aside and needs nothing more."""
    return await _close(request, caller, "dead letter", row, dead_letters.acknowledge)


@router.post("/system/losses/{row}/acknowledge")
async def post_loss(request: Request, row: RowId, caller: PlatformPage) -> Response:
    """Close a loss whose records are repaired."""
    return await _close(request, caller, "loss", row, lost_records.acknowledge)


@router.post("/system/sandbox/{turned}")
async def post_sandbox(request: Request, turned: Turned, caller: PlatformPage) -> Response:
    """Break the sandbox for a minute, or heal it."""
    try:
        await own_form(request)
        if (dials := console_of(request).process.sandbox) is None:
            raise FormRefused("Vapi is not on this machine: there are no dials to turn", 409)
        await (dials.heal() if turned == "heal" else dials.break_it(turned))
    except NoSandbox as error:
        return await _page(request, caller, FormRefused(f"no sandbox answers: {error}", 409))
    except FormRefused as error:
        return await _page(request, caller, error)
    log.info("the sandbox's dials were turned", turned=turned, actor=actor_of(caller))
    return see_other("/system")


async def _close(
    request: Request,
    caller: Platform,
    noun: str,
    row: int,
    close: Callable[[Connection, int, str, str], Awaitable[bool]],
) -> Response:
    try:
        reason, actor = reason_of(await own_form(request), caller)
        async with reads(request) as connection:
            if not await close(connection, row, reason, actor):
                raise FormRefused(f"there is no open {noun} {row}: somebody has closed it", 409)
    except (FormRefused, Problem) as error:
        return await _page(request, caller, error)
    return see_other("/system")


async def _page(request: Request, caller: Platform, problem: FormRefused | Problem | None = None) -> HTMLResponse:
    state, process = state_of(request), console_of(request).process
    problems, notes = await state.health.ready_problems(), await state.health.ready_notes()
    workers = None if process.workers is None else await process.workers()
    sandbox = await _sandbox(process)
    async with reads(request) as connection:
        losses = await open_losses(connection)
        return page(
            request,
            "system",
            caller,
            command="tool-sync doctor",
            problem=problem,
            problems=problems,
            notes=[(name, line) for name, note in notes.items() for line in _lines(note)],
            workers=workers,
            leads=await _leads(connection, process),
            topics=await topics_read(connection),
            is_console_alone=process.is_console_alone,
            readers=None if process.parts is None else process.parts.readers(),
            key=key_light(await paused_keys(connection)),
            used=await used_this_minute(connection),
            per_minute=installed(request).calls_per_minute if state.installed is not None else None,
            letters=await open_letters(connection, LETTERS_SHOWN + 1),
            letters_shown=LETTERS_SHOWN,
            losses=losses[:LOSSES_SHOWN],
            losses_more=max(len(losses) - LOSSES_SHOWN, 0),
            sandbox=sandbox,
            settings=process.settings,
            python=platform.python_version(),
            postgres=connection.get_settings().server_version,
            log_id=state.log_id,
        )


async def _sandbox(process: Process) -> tuple[int | None] | None:
    """What the sandbox does to every request; None where there is no sandbox on this machine."""
    if process.sandbox is None:
        return None
    try:
        return (await process.sandbox.broken(),)
    except NoSandbox:
        return None


async def _leads(connection: Connection, process: Process) -> list[Leads]:
    keys = {published.lock_key: f"publishes {published.name}" for published in ALL} | {HEADS_LOCK: "signs heads"}
    found = await leaders(connection, keys)
    own = {} if process.parts is None else process.parts.leads()
    told = []
    for key, what in keys.items():
        if (leader := found.get(key)) is None:
            who = "nobody now; another try is made every moment" if key != HEADS_LOCK else "nobody"
        elif own.get(what.removeprefix("publishes ")):
            who = f"this process, connected since {leader.since:%H:%M:%S} UTC"
        else:
            who = f"a process at {leader.address or 'this machine'}, connected since {leader.since:%H:%M:%S} UTC"
        told.append(Leads(what, who))
    if process.parts is not None and (why := process.parts.signs()) is not None:
        told.append(Leads("signs heads, as this process says", why))
    return told


def _lines(note: object) -> list[str]:
    """A note of `/readyz` for people, a line for each thing that it tells."""
    if isinstance(note, list | tuple):
        return [line for one in note for line in _lines(one)]
    if is_dataclass(note) and not isinstance(note, type):
        note = asdict(note)
    if isinstance(note, dict):
        return ["; ".join(f"{name}: {value!s}" for name, value in note.items())[:NOTE_CHARACTERS_SHOWN]]
    return [str(note)[:NOTE_CHARACTERS_SHOWN]]

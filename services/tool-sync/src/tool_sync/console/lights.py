"""The five lights on every page: can everybody book, does anything wait, is everything told, does the key work, is
anything set aside. All but coverage is looked at for each page; coverage is counted as often as its cost allows."""

from dataclasses import dataclass
from typing import Final, Literal

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from tool_sync.console.access import PlatformPage
from tool_sync.console.pages import clock, fragment, number
from tool_sync.console.state import console_of, reads
from tool_sync.db import Connection
from tool_sync.queries.coverage import Coverage
from tool_sync.queries.waiting import Backlog, backlog
from tool_sync.vapi.rate_limit import PausedKey, paused_keys
from zerotouch_platform.times import lasting

Color = Literal["green", "amber", "red"]

OLDEST_AMBER_SECONDS: Final = 10.0
OLDEST_RED_SECONDS: Final = 120.0
LAG_AMBER_EVENTS: Final = 500
LAG_RED_EVENTS: Final = 50_000

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Light:
    """``says`` is the figure in a few words, ``path`` the page that tells more."""

    title: str
    color: Color
    says: str
    path: str


@router.get("/lights")
async def get_lights(request: Request, caller: PlatformPage) -> HTMLResponse:
    """The lights alone, to be loaded again."""
    async with reads(request) as connection:
        return fragment(request, "lights", caller, lights=await lights_of(request, connection))


async def lights_of(request: Request, connection: Connection) -> tuple[Light, ...]:
    """As of now; the count of assistants is at most a few minutes old where many events come."""
    behind = await backlog(connection)
    coverage = await console_of(request).process.coverage.at(connection, behind.head)
    paused = await paused_keys(connection)
    return (_coverage(coverage), _oldest(behind), _relay(behind), key_light(paused), _set_aside(behind))


def _coverage(found: Coverage) -> Light:
    cannot = found.assistants - found.equipped
    says = f"{number(found.equipped)} of {number(found.assistants)} can book"
    color: Color = "green" if not cannot else "amber" if cannot <= found.assistants * 0.01 else "red"
    return Light("Coverage", "red" if found.halted else color, says, "/failures")


def _oldest(behind: Backlog) -> Light:
    if not behind.pending:
        return Light("Waiting", "green", "no save waits", "/waiting")
    says = f"{number(behind.pending)} clinics, oldest {lasting(behind.oldest_seconds)}"
    return Light("Waiting", _graded(behind.oldest_seconds, OLDEST_AMBER_SECONDS, OLDEST_RED_SECONDS), says, "/waiting")


def _relay(behind: Backlog) -> Light:
    lag = behind.head - min(behind.published, behind.told)
    says = f"{number(lag)} events behind" if lag else "all outcomes told"
    return Light("Outcomes", _graded(lag, LAG_AMBER_EVENTS, LAG_RED_EVENTS), says, "/live")


def key_light(paused: tuple[PausedKey, ...]) -> Light:
    """Whether Vapi takes our key, and those of clinics' own accounts."""
    if not paused:
        return Light("Vapi key", "green", "works", "/system")
    key = paused[0]
    if key.account is not None:  # the platform's comes first, and works
        accounts = len({one.account for one in paused})
        says = f"works; {key.account} is paused" if accounts == 1 else f"works; {number(accounts)} accounts are paused"
        return Light("Vapi key", "amber", says, "/waiting")
    until = f"paused until {clock(key.until)}" if key.until else "paused"
    return Light("Vapi key", "red", f"{until}, {key.code} since {clock(key.since)}", "/system")


def _set_aside(behind: Backlog) -> Light:
    if not behind.dead_letters:
        return Light("Dead letters", "green", "none", "/system")
    return Light("Dead letters", "red", f"{number(behind.dead_letters)} open", "/system")


def _graded(value: float, amber: float, red: float) -> Color:
    return "red" if value >= red else "amber" if value >= amber else "green"

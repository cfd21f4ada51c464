"""What every page is made with: templates, and the words in which times, ids and states are told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, RedirectResponse

from tool_sync.console.access import FormRefused, form_token, why_not
from tool_sync.console.session import PREFIX
from tool_sync.http.problems import Problem
from tool_sync.notices import shown as notices_shown
from tool_sync.notices.endpoints import Endpoint
from tool_sync.queries import changes, tool_pins, tool_settings
from tool_sync.queries.plain_words import ability, clock_at
from tool_sync.release import SERVICE_VERSION
from zerotouch_contracts.errors import entry_of
from zerotouch_platform.auth import Caller, Platform
from zerotouch_platform.times import lasting, utc
from zerotouch_platform.traces import trace_url


@dataclass(frozen=True, slots=True)
class Tab:
    """An entry of the bar on top. ``path`` is below ``/console``."""

    title: str
    path: str


PLATFORM_TABS: Final = (
    Tab("Tonight", "/"),
    Tab("Failures", "/failures"),
    Tab("Tools", "/tools"),
    Tab("Rollouts", "/rollouts"),
    Tab("Live", "/live"),
    Tab("System", "/system"),
    Tab("Log", "/log"),
)
CLINIC_TABS: Final = (Tab("Your assistants", "/"),)


def clock(at: datetime | None) -> str:
    """A moment of today as a clock shows it, another day with its date; in UTC."""
    if at is None:
        return ""
    return clock_at(at, datetime.now(UTC))


def clock_seconds(at: datetime) -> str:
    """A moment of just now."""
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


def said_of_notices(endpoint: Endpoint | None) -> str:
    """How a clinic's notices go."""
    return notices_shown.said(endpoint, datetime.now(UTC))


def capitalize_first(text: str) -> str:
    """The beginning of a sentence; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def number(value: float) -> str:
    """A count with separators."""
    return f"{value:,.0f}"


_environment: Final = Environment(
    loader=PackageLoader("tool_sync.console"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {"utc": utc, "clock": clock, "lasting": lasting, "number": number, "told": entry_of}
_environment.filters |= {
    "ability": ability,
    "who": tool_settings.who,
    "said_of_setting": tool_settings.said,
    "said_of_pin": tool_pins.said,
    "said_of_change": changes.said,
    "said_of_notices": said_of_notices,
    "clock_seconds": clock_seconds,
    "capitalize_first": capitalize_first,
}
_environment.globals |= {"version": SERVICE_VERSION, "trace_url": trace_url}


def see_other(path: str) -> RedirectResponse:
    """On to a page of the console, after a form."""
    return RedirectResponse(f"{PREFIX}{path}", 303)


def page(
    request: Request,
    name: str,
    caller: Caller | None,
    *,
    command: str | None = None,
    status: int = 200,
    problem: FormRefused | Problem | None = None,
    **more: Any,
) -> HTMLResponse:
    """The page ``templates/<name>.html``. ``command`` is the line of the terminal that says the same.

    ``problem``: what was asked for and refused; its status is the page's, and the template has it as a sentence.
    ``more`` is what the template reads beside what every page has.
    """
    words = {"command": command, "problem": None if problem is None else why_not(problem), **more}
    text = _rendered(request, f"{name}.html", caller, words)
    return HTMLResponse(text, status_code=status if problem is None else problem.status)


def fragment(request: Request, name: str, caller: Caller, **more: Any) -> HTMLResponse:
    """A part of a page, for htmx: ``templates/_<name>.html``."""
    return HTMLResponse(_rendered(request, f"_{name}.html", caller, more))


def compile_templates() -> None:
    """Compile each: together they take 0.3 s, and the first reader of a page would wait for up to 0.1 s of it."""
    for name in _environment.list_templates():
        _environment.get_template(name)


def rendered(name: str, **more: Any) -> str:
    """A template that needs nothing of who reads it."""
    return _environment.get_template(name).render(**more)


def _rendered(request: Request, name: str, caller: Caller | None, more: Mapping[str, Any]) -> str:
    tabs = () if caller is None else PLATFORM_TABS if isinstance(caller, Platform) else CLINIC_TABS
    return _environment.get_template(name).render(
        caller=caller,
        is_platform=isinstance(caller, Platform),
        tabs=tabs,
        here=request.url.path.removeprefix(PREFIX) or "/",
        address=str(request.url),
        form_token=form_token(request) if caller is not None else "",
        now=datetime.now(UTC),
        **more,
    )

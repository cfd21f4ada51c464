"""Builds the console: an application of its own below ``/console``, with its own errors, which are pages."""

import asyncio
import html
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from tool_sync.console import (
    assistant,
    clinic,
    embed,
    enter,
    failures,
    lights,
    live,
    log_page,
    login,
    notices,
    publish,
    rollouts,
    search,
    status_links,
    system,
    tonight,
    tools,
    waiting,
)
from tool_sync.console.access import FormRefused, why_not
from tool_sync.console.causes import Counts
from tool_sync.console.oidc import routes as oidc
from tool_sync.console.pages import page
from tool_sync.console.process import Process
from tool_sync.console.session import PREFIX, CookieBearer, Sealer
from tool_sync.console.state import ConsoleState
from tool_sync.db import Connection
from tool_sync.http.access import reading
from tool_sync.http.problems import Problem
from tool_sync.http.state import HttpState
from tool_sync.http.tracing import path_told
from tool_sync.queries.as_of import BeforeFirstEvent
from tool_sync.queries.blueprint import UnknownVersion
from tool_sync.queries.explain_tool import UnknownTool
from tool_sync.rollouts.finding import UnknownRollout
from zerotouch_platform.auth import NotAllowed, TokenRefused, TokenUnsure

log = structlog.get_logger(__name__)

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
ASSET_CACHE: Final = "public, max-age=3600"


def build(state: HttpState, sealer: Sealer, process: Process | None = None) -> FastAPI:
    """The pages, to be mounted at ``/console``."""
    app = FastAPI(title="Zerotouch console", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    counting = asyncio.Lock()

    @asynccontextmanager
    async def connect() -> AsyncIterator[Connection]:
        async with counting, reading(state, None) as connection:  # one count at a time: the others are for pages
            yield connection

    process = process or Process()
    process.coverage.connect = connect
    app.state.http, app.state.console = state, ConsoleState(sealer, process, Counts(connect))
    for router in (
        login.router,
        oidc.router,
        enter.router,
        embed.router,
        lights.router,
        search.router,
        tonight.router,
        waiting.router,
        failures.router,
        live.router,
        clinic.router,
        notices.router,
        status_links.router,
        assistant.router,
        tools.router,
        publish.router,
        rollouts.router,
        system.router,
        log_page.router,
    ):
        app.include_router(router)
    app.mount("/static", StaticFiles(packages=[("tool_sync.console", "static")]))
    _install_errors(app)
    app.middleware("http")(_with_headers)
    return app


def mounted(api: FastAPI, state: HttpState, sealer: Sealer, process: Process | None = None) -> ASGIApp:
    """``api`` with the console below ``/console``, and around both what reads its cookie."""

    async def first_page(_: Request) -> Response:
        return RedirectResponse(f"{PREFIX}/", 307)

    state.verifier.sessions = sealer.claims_of
    api.add_route(PREFIX, first_page, include_in_schema=False)
    api.mount(PREFIX, build(state, sealer, process))
    return CookieBearer(api, sealer)


async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.url.path.startswith(f"{PREFIX}/static/"):
        response.headers["Cache-Control"] = ASSET_CACHE
    return response


_NO_PAGE: Final = "this address is of no page"
_ERRORS: Final[Mapping[type[Exception], Callable[[Any], tuple[int, str]]]] = {
    TokenUnsure: lambda error: (503, error.reason),
    NotAllowed: lambda error: (403, str(error)),
    FormRefused: lambda error: (error.status, error.why),
    Problem: lambda error: (error.status, why_not(error)),
    UnknownTool: lambda error: (404, str(error)),
    UnknownVersion: lambda error: (404, str(error)),
    UnknownRollout: lambda error: (404, str(error)),
    BeforeFirstEvent: lambda _: (404, "nothing is known of it, or was at that time"),
    RequestValidationError: lambda _: (404, _NO_PAGE),
    HTTPException: lambda error: (error.status_code, _NO_PAGE if error.status_code == 404 else str(error.detail)),
}
"""What an error is as a page: its status, and a sentence."""


def _install_errors(app: FastAPI) -> None:
    for kind, told in _ERRORS.items():
        app.add_exception_handler(kind, _page_of(told))
    app.add_exception_handler(TokenRefused, _to_sign_in)
    app.add_exception_handler(Exception, _bug)


def _page_of(told: Callable[[Any], tuple[int, str]]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        return _error(request, *told(error))

    return answer


async def _to_sign_in(request: Request, error: Exception) -> Response:
    """To the form, and then where the reader wanted to be. A part of a page is not loaded into the page."""
    assert isinstance(error, TokenRefused)
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Refresh": "true"})
    here = request.url.path.removeprefix(PREFIX) + (f"?{request.url.query}" if request.url.query else "")
    why = "" if request.headers.get("authorization") is None else error.reason
    return RedirectResponse(f"{PREFIX}/login?to={quote(here, safe='/')}&why={quote(why)}", 303)


async def _bug(request: Request, error: Exception) -> Response:
    log.error("console: an unexpected error", path=path_told(request.url.path), exc_info=error)
    return _error(request, 500, "this is a fault of ours; the log has it")


def _error(request: Request, status: int, detail: str) -> HTMLResponse:
    if request.headers.get("hx-request"):
        return HTMLResponse(f"<p class='problem'>{html.escape(detail)}</p>", status_code=status)
    return page(request, "error", None, status=status, code=status, detail=detail)

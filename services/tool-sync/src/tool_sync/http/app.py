"""Builds the HTTP application."""

from typing import Any, Final

from fastapi import FastAPI

from tool_sync.http import (
    assistants,
    change_windows,
    console_links,
    explain,
    feed,
    fleet_feed,
    health,
    notices,
    problems,
    rollouts,
    routes,
    status_links,
    stream,
    tool_pins,
    tool_settings,
    tools,
    words,
)
from tool_sync.http.needs import NEEDS
from tool_sync.http.state import HttpState
from tool_sync.http.tracing import ServerSpans
from tool_sync.http.vocabulary import WORDS
from tool_sync.release import SERVICE_VERSION
from zerotouch_platform.limits.middleware import Limited
from zerotouch_platform.openapi import describe, operation_id
from zerotouch_platform.telemetry import Telemetry

_ROUTED: Final = (
    health, routes, tool_settings, tool_pins, change_windows, notices, words, tools, rollouts, assistants,
    explain, feed, stream, fleet_feed, console_links, status_links,
)  # fmt: skip
"""In the order in which the document names them."""


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        return describe(super().openapi(), NEEDS, WORDS, ("trace_id", "trace_url"))


def build(state: HttpState, telemetry: Telemetry) -> FastAPI:
    """The app; its OpenAPI document is at ``/openapi.json``, readable at ``/docs``."""
    app = _App(
        title="Zerotouch tool-sync",
        version=SERVICE_VERSION,
        summary="Which tools an organization's assistants have in Vapi, and how they came about.",
        generate_unique_id_function=operation_id,
        redirect_slashes=False,  # the address would be made of the caller's Host
    )
    for routed in _ROUTED:
        app.include_router(routed.router)
    return _dressed(app, state, telemetry)


def build_health(state: HttpState, telemetry: Telemetry) -> FastAPI:
    """An app that says how the process is, and nothing else: what the console is mounted at where it is alone."""
    app = FastAPI(title="Zerotouch console", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(health.router)
    return _dressed(app, state, telemetry)


def _dressed(app: FastAPI, state: HttpState, telemetry: Telemetry) -> FastAPI:
    """With what its routes work with, and what is around every one of them."""
    app.state.http = state
    problems.install(app)
    if telemetry.enabled:
        app.add_middleware(ServerSpans, telemetry=telemetry)
    if state.limits is not None:  # around it: a flood of refusals is no flood of spans
        app.add_middleware(Limited, limits=state.limits)
    return app

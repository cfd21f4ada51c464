"""Builds the HTTP application."""

from fastapi import FastAPI

from tool_sync.http import assistants, explain, feed, health, problems, routes, stream, tool_settings, words
from tool_sync.http.state import HttpState
from tool_sync.http.tracing import ServerSpans
from tool_sync.telemetry import SERVICE_VERSION
from zerotouch_platform.telemetry import Telemetry


def build(state: HttpState, telemetry: Telemetry) -> FastAPI:
    """The app; its OpenAPI document is at ``/openapi.json``, readable at ``/docs``."""
    app = FastAPI(
        title="Zerotouch tool-sync",
        version=SERVICE_VERSION,
        summary="Which tools an organization's assistants have in Vapi, and how they came about.",
    )
    app.state.http = state
    app.include_router(health.router)
    app.include_router(routes.router)
    app.include_router(tool_settings.router)
    app.include_router(words.router)
    app.include_router(assistants.router)
    app.include_router(explain.router)
    app.include_router(feed.router)
    app.include_router(stream.router)
    problems.install(app)
    if telemetry.enabled:
        app.add_middleware(ServerSpans, telemetry=telemetry)
    return app

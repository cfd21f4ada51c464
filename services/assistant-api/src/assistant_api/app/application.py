"""The ASGI application: routes, problems, and one server span around each request."""

import asyncio
from typing import Any, Final

from fastapi import FastAPI
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant_api.http import problems
from assistant_api.http.dependencies import Dependencies
from assistant_api.http.needs import RULES
from assistant_api.http.routes import (
    access,
    agents,
    appointments,
    assistants,
    erasures,
    health,
    organizations,
    saves,
    tool_calls,
    tools,
    vapi_keys,
    vapi_minutes,
)
from assistant_api.http.words import WORDS
from assistant_api.telemetry import own_trace_id
from zerotouch_platform.limits.middleware import Limited
from zerotouch_platform.openapi import describe, operation_id
from zerotouch_platform.telemetry import Telemetry
from zerotouch_platform.traceparent import parent_context

TITLE: Final = "Zerotouch assistant-api"
_MODULES: Final = (
    health,
    organizations,
    agents,
    assistants,
    saves,
    appointments,
    erasures,
    access,
    tool_calls,
    tools,
    vapi_keys,
    vapi_minutes,
)


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        needs = {route: rule.need for route, rule in RULES.items()}
        return describe(super().openapi(), needs, WORDS, ("traceId", "traceUrl"))


def create_app(parts: Dependencies) -> FastAPI:
    """The application over ``parts``."""
    app = _App(
        title=TITLE,
        version="0.1.0",
        docs_url="/api/docs",
        openapi_url="/api/openapi.json",
        redoc_url=None,
        generate_unique_id_function=operation_id,
        redirect_slashes=False,  # the address would be made of the caller's Host
    )
    app.state.parts = parts
    problems.install(app)
    for module in _MODULES:
        app.include_router(module.router)
    app.add_middleware(Traced, telemetry=parts.telemetry)
    app.add_middleware(Limited, limits=parts.limits)  # around it: a flood of refusals is no flood of spans
    return app


class Traced:
    """A server span for each request under /api, the trace id in a header, and the answer to what nobody caught."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app, self._telemetry = app, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith("/api"):
            await self._app(scope, receive, send)
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        method = scope["method"]
        started = False
        with self._telemetry.span(
            method,
            parent=parent_context(headers.get("traceparent")),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "url.path": scope["path"]},
        ) as span:

            async def traced_send(message: Message) -> None:
                nonlocal started
                if message["type"] == "http.response.start":
                    started = True
                    _name(span, scope, message["status"])
                    message["headers"] = [*message["headers"], (b"x-trace-id", own_trace_id(span).encode())]
                await send(message)

            try:
                await self._app(scope, receive, traced_send)
            except (Exception, asyncio.CancelledError) as error:
                if started:  # half an answer is out; cutting the connection is all that is left to say
                    raise
                # uvicorn cancels what has not been answered when it has to stop, and would say 500 itself.
                is_stopping = isinstance(error, asyncio.CancelledError)
                answer = problems.stopping() if is_stopping else problems.internal(error)
                await answer(scope, receive, traced_send)


def _name(span: Any, scope: Scope, status: int) -> None:
    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        span.update_name(f"{scope['method']} {route}")
        span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))

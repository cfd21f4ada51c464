"""One server span per request but health, as plain ASGI. HTTP conventions (stable), read 2026-11-24."""

from typing import Final

from opentelemetry.trace import SpanKind, use_span
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tool_sync.telemetry import ERROR_TYPE
from zerotouch_platform.telemetry import Telemetry

_UNTRACED: Final = frozenset({"/livez", "/readyz"})
_OF_LINKS: Final = ("/console/enter/", "/console/embed/")


def path_told(path: str) -> str:
    """A path as a trace or a log may have it: the code of a link is left out."""
    of = next((one for one in _OF_LINKS if path.startswith(one)), None)
    return path if of is None else f"{of}…"


class ServerSpans:
    """ASGI middleware; the caller's ``traceparent`` is the parent, and the span is current inside the request."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNTRACED:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        span = self._telemetry.start(
            scope["method"],
            kind=SpanKind.SERVER,
            traceparent=headers.get(b"traceparent", b"").decode("latin-1"),
            attributes={
                "http.request.method": scope["method"],
                "url.path": path_told(scope["path"]),
                "url.scheme": scope["scheme"],
            },
        )

        async def send_noting_status(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                span.set_attribute("http.response.status_code", status)
                if status >= 500:
                    span.set_attribute(ERROR_TYPE, str(status))
            await send(message)

        with use_span(span, end_on_exit=True):
            await self._app(scope, receive, send_noting_status)
            if route := getattr(scope.get("route"), "path", None):
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)

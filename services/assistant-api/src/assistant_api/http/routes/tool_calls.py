"""`/api/vapi/tool-calls`: where Vapi sends the calls of our tools. No JWT: Vapi has a credential of its own."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from opentelemetry.trace import get_current_span
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from assistant_api.http.access import LoggedRoute, note_refusal
from assistant_api.http.body import read_bytes
from assistant_api.http.dependencies import DependenciesOf
from assistant_api.telemetry import own_trace_id
from assistant_api.tool_calls import answers
from assistant_api.tool_calls.accessed import WITHOUT_ROW, nobodys
from assistant_api.tool_calls.payload import FUNCTION_CALL, TOOL_CALLS, read_tool_calls_aside
from zerotouch_platform.openapi import documented

PATH: Final = "/api/vapi/tool-calls"

router = APIRouter(tags=["vapi"], route_class=LoggedRoute)

CALLS_MAX: Final = 20
"""Calls of one request that are looked at; a conversation has one or two."""

_EXAMPLE: Final = {"message": {"type": "status-update", "status": "in-progress"}}


class VapiMessage(BaseModel):
    """What Vapi sends, whatever is in it: tool calls, and messages of other types."""

    model_config = ConfigDict(extra="allow")

    message: dict[str, Any] = {}


class ToolResult(BaseModel):
    """The answer to one call; Vapi finds the call by its id."""

    toolCallId: Any
    name: str
    result: str | None = None
    error: str | None = None


class VapiAnswer(BaseModel):
    """``results`` for tool calls, ``result`` for a function call of the older form; the rest is Vapi's."""

    results: list[ToolResult] | None = None
    result: str | None = None
    error: str | None = None
    documents: list[Any] | None = None


@router.post(
    PATH,
    response_model=VapiAnswer,
    responses={401: {"description": "Vapi's credential is missing or wrong."}},
    openapi_extra=documented(VapiMessage, _EXAMPLE),
    summary="Answer the tool calls of a phone call",
)
async def tool_calls(request: Request, parts: DependenciesOf) -> Response:
    """200 for everything that Vapi sends and that is JSON, with `results` for tool calls: it ignores any other status.

    401 without the bearer token, the secret or the signature, 413 if the body is too large, 400 if it is not JSON.
    """
    parts.webhook_credentials.require_before_body(request.headers)
    raw = await read_bytes(request, parts.settings.webhook_bytes_max)
    parts.webhook_credentials.require(request.headers, raw, now=datetime.now(UTC))
    asked = await read_tool_calls_aside(raw)
    if asked.kind not in {TOOL_CALLS, FUNCTION_CALL}:
        return _json(parts.other_messages.answer(asked.kind))
    results = []
    for number, call in enumerate(asked.calls):  # one after another: a later one may build on an earlier one
        answer = await parts.tool_calls.handle(asked, call) if number < CALLS_MAX else answers.TOO_MANY
        if answer.code in WITHOUT_ROW:
            entry = nobodys(answer, own_trace_id(get_current_span()))
            await note_refusal(parts.database, parts.access_counter, entry)
        if asked.kind == FUNCTION_CALL:  # one call, and its answer without an id
            return _json({"result": answer.text})
        results.append(answer.as_result(call))
    return _json({"results": results})


def _json(body: dict[str, Any]) -> Response:
    # Escaped: an id may hold what UTF-8 cannot (a lone surrogate), and Vapi finds the call by it.
    return Response(json.dumps(body, separators=(",", ":")), media_type="application/json")

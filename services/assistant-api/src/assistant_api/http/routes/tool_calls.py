"""`/api/vapi/tool-calls`: where Vapi sends the calls of our tools. No JWT: Vapi has a credential of its own."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from assistant_api.http.body import read_bytes
from assistant_api.http.dependencies import DependenciesOf
from assistant_api.tool_calls import answers
from assistant_api.tool_calls.payload import FUNCTION_CALL, TOOL_CALLS, read_tool_calls

router = APIRouter(prefix="/api/vapi", tags=["vapi"])

CALLS_MAX: Final = 20
"""Calls of one request that are looked at; a conversation has one or two."""

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object", "properties": {"message": {"type": "object"}}}}},
    },
}


@router.post("/tool-calls", openapi_extra=_BODY, summary="Answer the tool calls of a phone call")
async def tool_calls(request: Request, parts: DependenciesOf) -> Response:
    """200 for everything that Vapi sends and that is JSON, with `results` for tool calls: it ignores any other status.

    401 without the bearer token, the secret or the signature, 413 if the body is too large, 400 if it is not JSON.
    """
    parts.webhook_credentials.require_before_body(request.headers)
    raw = await read_bytes(request, parts.settings.webhook_bytes_max)
    parts.webhook_credentials.require(request.headers, raw, now=datetime.now(UTC))
    asked = read_tool_calls(raw)
    if asked.kind not in {TOOL_CALLS, FUNCTION_CALL}:
        return _json(parts.other_messages.answer(asked.kind))
    results = []
    for number, call in enumerate(asked.calls):  # one after another: a later one may build on an earlier one
        answer = await parts.tool_calls.handle(asked, call) if number < CALLS_MAX else answers.TOO_MANY
        if asked.kind == FUNCTION_CALL:  # one call, and its answer without an id
            return _json({"result": answer.text})
        results.append(answer.as_result(call))
    return _json({"results": results})


def _json(body: dict[str, Any]) -> Response:
    # Escaped: an id may hold what UTF-8 cannot (a lone surrogate), and Vapi finds the call by it.
    return Response(json.dumps(body, separators=(",", ":")), media_type="application/json")

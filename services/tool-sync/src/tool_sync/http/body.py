"""A request's body: JSON whatever the content type says, of a limited size."""

from typing import Final

from fastapi import Request

from tool_sync.http.problems import Problem
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.strict_json import parse_json

BODY_BYTES_MAX: Final = 16 * 1024


async def read_object(request: Request) -> dict[str, object]:
    """The body as a JSON object; 413 as soon as it is known to be too long, 400 where it is none."""
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > BODY_BYTES_MAX:
            detail = f"the body is longer than {BODY_BYTES_MAX} bytes"
            raise Problem(413, ErrorCode.BODY_TOO_LARGE, detail)
    try:
        value = parse_json(bytes(chunks))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Problem(400, ErrorCode.INVALID_REQUEST, "the body is not a JSON object in UTF-8")
    return value

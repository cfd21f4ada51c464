"""Bodies. A request's is JSON whatever the content type says, of a limited size, and only what can be stored.

curl sends `application/x-www-form-urlencoded` unless told otherwise, so the content type decides nothing here.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.responses import JSONResponse

from assistant_api.limits import BODY_VALUES_MAX
from assistant_api.problem import Problem, invalid
from assistant_api.strict_json import read_json
from zerotouch_contracts.errors import ErrorCode
from zerotouch_contracts.text import require_storable

DEPTH_MAX: Final = 32
ERRORS_MAX: Final = 20
LEAST_NUMBER: Final = 1e-15
"""PostgreSQL writes 1e300, and 1e-300, with 300 digits: of 60 kB it makes 3 MB, and numbers that are dear to read."""

T = TypeVar("T", bound=BaseModel)


async def read_bytes(request: Request, bytes_max: int) -> bytes:
    """The raw body. 413 as soon as it is known to be longer than ``bytes_max``, whether or not it says its length."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, ErrorCode.INVALID_REQUEST, "the body must not be compressed")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and (len(declared) > 12 or int(declared) > bytes_max):
        raise _too_large(bytes_max)
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > bytes_max:
            raise _too_large(bytes_max)
    return bytes(chunks)


def parse(raw: bytes, model: type[T], *, empty_is_object: bool = False) -> T:
    """The body as ``model``. 400 where it is no JSON, 422 where it has not the documented form.

    Problems name fields and never repeat what was in them.
    """
    if empty_is_object and not raw.strip():
        raw = b"{}"
    value = read_json(raw, values_max=BODY_VALUES_MAX)
    _require_storable(value, "body", 0)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = [
            {"field": ".".join(map(str, item["loc"])) or "body", "problem": str(item["msg"])}
            for item in error.errors(include_input=False, include_url=False, include_context=False)[:ERRORS_MAX]
        ]
        raise invalid("the request body is not valid", problems) from None


def written(model: BaseModel, status: int = 200) -> JSONResponse:
    """An answer that shows ``model``, in camelCase."""
    return JSONResponse(model.model_dump(mode="json", by_alias=True), status)


def _require_storable(value: object, place: str, depth: int) -> None:
    """PostgreSQL takes neither U+0000 nor lone surrogates nor numbers without end, also not deep inside a document."""
    if depth > DEPTH_MAX:
        raise invalid(f"the body is nested deeper than {DEPTH_MAX} levels")
    try:
        if isinstance(value, str):
            require_storable(value)
        elif isinstance(value, float) and not (value == 0 or LEAST_NUMBER <= abs(value) < 2**63):
            raise ValueError(f"must be zero, or from {LEAST_NUMBER} to 2^63")
        elif isinstance(value, int) and abs(value) >= 2**63:
            raise ValueError("must be below 2^63")
    except ValueError as error:
        raise invalid("the body has a value that cannot be stored", [{"field": place, "problem": str(error)}]) from None
    if isinstance(value, Mapping):
        for key, item in value.items():
            _require_storable(key, f"{place} (a key)", depth)
            _require_storable(item, f"{place}.{key}"[:200], depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _require_storable(item, f"{place}.{index}"[:200], depth + 1)


def _too_large(bytes_max: int) -> Problem:
    return Problem(413, ErrorCode.BODY_TOO_LARGE, f"the body is over {bytes_max} bytes")

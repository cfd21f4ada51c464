"""A request's body: JSON whatever the content type says, of a limited size, as the model that its route takes."""

from typing import Annotated, Final, TypeVar

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tool_sync.domain.tool_setting import REASON_CHARACTERS_MAX, reason_problem
from tool_sync.http.problems import Problem
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.strict_json import parse_json

BODY_BYTES_MAX: Final = 16 * 1024
KEY_CHARACTERS_SHOWN: Final = 64
PROBLEMS_SHOWN: Final = 20

_REASON: Final = Field(
    max_length=REASON_CHARACTERS_MAX,
    description="Why, in one line that is kept for ever: no names, numbers or addresses of patients.",
)
Reason = Annotated[str, _REASON]
ReasonOrNone = Annotated[str | None, _REASON]
ReasonAsked = Annotated[str | None, Query(max_length=REASON_CHARACTERS_MAX, description="Why, in one line.")]


class Body(BaseModel):
    """What a route takes: these fields and no others, as they are."""

    model_config = ConfigDict(extra="forbid", strict=True)


M = TypeVar("M", bound=BaseModel)


async def read_body(request: Request, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """The body as it was sent; 413 as soon as it is known to be too long, 415 where it is compressed."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, ErrorCode.INVALID_REQUEST, "the body must not be compressed")
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > bytes_max:
            raise Problem(413, ErrorCode.BODY_TOO_LARGE, f"the body is longer than {bytes_max} bytes")
    return bytes(chunks)


async def read_object(request: Request, bytes_max: int = BODY_BYTES_MAX) -> dict[str, object]:
    """The body as a JSON object; 400 where it is none."""
    content = await read_body(request, bytes_max)
    try:
        value = parse_json(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Problem(400, ErrorCode.INVALID_REQUEST, "the body is not a JSON object in UTF-8")
    return value


async def read_model(request: Request, model: type[M], bytes_max: int = BODY_BYTES_MAX) -> M:
    """The body as a model; a 422 problem where :func:`model_of` finds something wrong with it."""
    body, problems = model_of(model, await read_object(request, bytes_max))
    if problems or body is None:
        raise invalid(problems)
    return body


def model_of(model: type[M], document: dict[str, object]) -> tuple[M | None, list[str]]:
    """A body as a model, and what is wrong with it: every field is named, and nothing of what was in it repeated."""
    try:
        body = model.model_validate(document)
    except ValidationError as error:
        items = error.errors(include_input=False, include_url=False, include_context=False)
        return None, [f"{'.'.join(_key_shown(part) for part in item['loc'])}: {item['msg']}" for item in items]
    return body, reason_problems(getattr(body, "reason", None))


def reason_problems(reason: str | None) -> list[str]:
    """What is wrong with a reason."""
    problem = None if reason is None else reason_problem(reason)
    return [] if problem is None else [f"reason: {problem}"]


def invalid(problems: list[str]) -> Problem:
    """The answer that names them."""
    return Problem(422, ErrorCode.INVALID_REQUEST, "; ".join(problems[:PROBLEMS_SHOWN]))


def _key_shown(key: object) -> str:
    """A key as ASCII: it comes from outside, and may be no Unicode that could be answered."""
    return ascii(str(key))[1:-1][:KEY_CHARACTERS_SHOWN]

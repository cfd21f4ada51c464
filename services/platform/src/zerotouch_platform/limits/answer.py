"""The one answer to whoever has reached a limit: 429, a problem document, and when it is worth asking again."""

import json
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.limits.policy import Kind, Refusal, Standing
from zerotouch_platform.problems import MEDIA_TYPE, problem_document

STATUS: Final = 429
_WHAT: Final = {
    Kind.REQUESTS: "requests a second",
    Kind.IN_FLIGHT: "requests at a time",
    Kind.STREAMS: "open streams and long polls",
    Kind.BYTES: "bytes a second",
    Kind.WORK: "milliseconds of work",
    Kind.SAVES_WAITING: "saves that wait for Vapi",
    Kind.AGENTS: "agents",
}


def headers_of(refusal: Refusal) -> dict[str, str]:
    """`Retry-After`, and how the policies stand that have no room."""
    return {"Retry-After": str(refusal.retry_after_seconds), **rate_limit_headers(*refusal.standings)}


def rate_limit_headers(*standings: Standing) -> dict[str, str]:
    """The fields of the draft that `policy` names."""
    return {
        "RateLimit-Policy": ", ".join(standing.policy_item() for standing in standings),
        "RateLimit": ", ".join(standing.limit_item() for standing in standings),
    }


def sentence(refusal: Refusal) -> str:
    """For the caller: which limit, of whom, and when to come again."""
    said = " and ".join(f"{each.quota} {_WHAT[each.kind]} of one {each.of}" for each in refusal.standings)
    return f"too many {said}; try again in {refusal.retry_after_seconds} s"


def members(refusal: Refusal) -> Mapping[str, list[str]]:
    """What the document says besides: the draft's member of its own problem type."""
    return {"violated-policies": [standing.name for standing in refusal.standings]}


def too_many(refusal: Refusal) -> Response:
    """The same from both services, and without a trace: refusing must stay cheap."""
    document = {**problem_document(STATUS, ErrorCode.LIMIT_REACHED, sentence(refusal)), **members(refusal)}
    return Response(json.dumps(document), STATUS, headers_of(refusal), MEDIA_TYPE)

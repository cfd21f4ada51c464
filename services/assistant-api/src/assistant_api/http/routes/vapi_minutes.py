"""`/api/vapi-minutes`: requests of the key's running minute, for tool-sync's bulk work."""

from typing import Annotated, Final

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from assistant_api.agents.schemas import Body, ResponseBody
from assistant_api.http.access import AccessOf, LoggedRoute
from assistant_api.http.body import parse, read_bytes, written
from assistant_api.http.dependencies import DependenciesOf
from assistant_api.problem import Problem
from assistant_api.vapi.account_rows import rate_of
from assistant_api.vapi.lending import lend_requests
from zerotouch_contracts.errors import ErrorCode
from zerotouch_platform.openapi import documented
from zerotouch_platform.vapi.key_name import fingerprint_of

REQUESTS_MAX: Final = 1_000_000
MINUTE_MAX: Final = 2**40

router = APIRouter(prefix="/api/vapi-minutes", tags=["vapi"], route_class=LoggedRoute)


class MinuteRequest(Body):
    """``key``: fingerprint of the Vapi key; ``minute``: a UTC minute since 1970; ``requests``: that could be used."""

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    minute: Annotated[int, Field(ge=0, le=MINUTE_MAX, strict=True)]
    requests: Annotated[int, Field(ge=1, le=REQUESTS_MAX, strict=True)]


class LentRequests(ResponseBody):
    """``requests`` of ``minute`` are not made by this service; 0: it may need all that is left of its part."""

    minute: int
    requests: int


@router.post(
    "",
    response_model=LentRequests,
    responses={409: {"description": "This service works with another key, or without a rate."}},
    openapi_extra=documented(MinuteRequest, {"key": "0" * 32, "minute": 29_924_000, "requests": 100}),
    summary="Give up requests of the Vapi key's running minute",
)
async def lend(request: Request, parts: DependenciesOf, access: AccessOf) -> Response:
    """Give up what this service does not need of the key's running minute; only the platform may.

    A repeated request gives up more, as long as there is something. 409 for another key than this service's, and where
    it has no rate.
    """
    body = parse(await read_bytes(request, parts.settings.body_bytes_max), MinuteRequest)
    settings, key = parts.settings, body.key
    async with access.writing(parts.database, None) as connection:
        if key == fingerprint_of(settings.vapi_api_key.get_secret_value()):
            key, rate = parts.accounts.platform.vapi.key.fingerprint, settings.vapi_requests_per_minute
        else:
            is_own, rate = await rate_of(connection, key)
            if not is_own:
                raise Problem(409, ErrorCode.INVALID_REQUEST, "this service works with another Vapi key")
        if rate is None:
            raise Problem(
                409, ErrorCode.INVALID_REQUEST, "no rate is set here: VAPI_REQUESTS_PER_MINUTE, or the clinic's"
            )
        lent = await lend_requests(connection, settings, key, rate, body.minute, body.requests)
    return written(LentRequests(minute=body.minute, requests=lent))

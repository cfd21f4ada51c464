"""To the provider, and back from it.

    GET /login/provider   a cookie that binds what begins to this browser, and the way to the provider
    GET /login/back       from the provider: the session's cookie, and a page that goes on

The first cookie is ``SameSite=Lax``, as no strict one comes along where another site sends a browser; it holds no
token, and ends within ten minutes. For the same reason the session's strict cookie would not be there after a redirect:
a page of ours goes on, and with it the cookie is sent.
"""

import hmac
import time
from typing import Any, Final
from uuid import uuid4

import structlog
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from tool_sync.console.login import login_page, own_path
from tool_sync.console.oidc.id_token import IdTokenRefused
from tool_sync.console.oidc.provider import Provider, ProviderFails, attempt_to, error_told
from tool_sync.console.oidc.rights import NoRights, person_of, rights_of
from tool_sync.console.pages import page
from tool_sync.console.session import ATTEMPT_COOKIE, PREFIX, SignIn, cookie_of
from tool_sync.console.state import console_of
from tool_sync.http.access import actor_of
from tool_sync.http.state import state_of

log = structlog.get_logger(__name__)

ANSWER_CHARACTERS_MAX: Final = 4096
TO_CHARACTERS_MAX: Final = 1000
"""Of where it leads, which the cookie holds."""
STRANGE: Final = "this sign-in was begun elsewhere, in another tab, or more than ten minutes ago: begin again"

router = APIRouter()


class _Refused(Exception):
    def __init__(self, why: str, status: int) -> None:
        self.why, self.status = why, status


@router.get("/login/provider")
async def get_provider(request: Request, to: str = "/") -> Response:
    """Begins. It changes nothing here, so a link may lead to it."""
    provider, to = console_of(request).process.provider, own_path(to)
    if provider is None:
        return login_page(request, to, "there is no provider here: CONSOLE_OIDC_ISSUER is not set", 404)
    attempt = attempt_to(to if len(to) <= TO_CHARACTERS_MAX else "/")
    try:
        address = await provider.address_to_sign_in(attempt, _back(request))
    except ProviderFails as error:
        return login_page(request, to, _fails(error), error.status)
    response = RedirectResponse(address, 303)
    console_of(request).sealer.begin(response, attempt)
    return response


@router.get("/login/back")
async def get_back(request: Request) -> Response:
    """Ends it, one way or the other; what was begun is good for nothing after."""
    provider = console_of(request).process.provider
    attempt = console_of(request).sealer.attempt_of(cookie_of(request.headers.get("cookie"), ATTEMPT_COOKIE))
    to = "/" if attempt is None else attempt.to
    try:
        if provider is None:
            raise _Refused("there is no provider here: CONSOLE_OIDC_ISSUER is not set", 404)
        response = await _ended(request, provider, attempt)
    except _Refused as error:
        response = login_page(request, to, error.why, error.status)
    console_of(request).sealer.end(response)
    return response


async def _ended(request: Request, provider: Provider, attempt: SignIn | None) -> Response:
    answered = _answered(request)
    if attempt is None or not hmac.compare_digest(answered.get("state", "").encode(), attempt.state.encode()):
        raise _Refused(STRANGE, 400)
    try:
        # A provider that names itself always does; another's answer is not taken to this one (RFC 9207).
        named = provider.client.issuer if (await provider.parts()).names_itself else answered.get("iss")
        if named is not None and answered.get("iss") != provider.client.issuer:
            raise _Refused("this answer is of another provider", 400)
        if "error" in answered:
            raise _Refused(f"the provider says no: {error_told(answered['error'])}", 403)
        if not (code := answered.get("code")):
            raise _Refused("the provider has sent you back without an answer", 400)
        token, claims = await provider.id_token_of(code, attempt, _back(request))
    except ProviderFails as error:
        raise _Refused(_fails(error), error.status) from None
    except IdTokenRefused as error:
        raise _Refused(error.reason, 401) from None
    try:
        rights = rights_of(claims, provider.client.rules)
    except NoRights as error:
        why = f"you are {person_of(claims)} there, and nothing says what you may do here. Ask for {error.ask_for}"
        raise _Refused(why, 403) from None
    ends_at = min(int(claims["exp"]), int(time.time() + provider.client.session_seconds))
    return _signed_in(request, attempt, {**rights, "exp": ends_at, "jti": str(uuid4())}, token)


def _signed_in(request: Request, attempt: SignIn, session: dict[str, Any], token: str) -> Response:
    response = page(request, "going_on", None, leads_to=f"{PREFIX}{attempt.to}", words="You are signed in.")
    authorization = console_of(request).sealer.sign_in_person(response, session, token)
    caller = state_of(request).verifier.caller_of(authorization)
    log.info("somebody signed in at the console", actor=actor_of(caller), token_id=caller.token_id)
    return response


def _answered(request: Request) -> dict[str, str]:
    """The answer's parameters. One that is there twice is none, and neither is what is longer than any."""
    listed = request.query_params.multi_items()
    names = [name for name, _ in listed]
    return {name: value for name, value in listed if names.count(name) == 1 and len(value) <= ANSWER_CHARACTERS_MAX}


def _back(request: Request) -> str:
    """Where the provider sends browsers to. Not what the request says of its host: that is the browser's word."""
    console = state_of(request).console
    if console is None or console.url is None:
        raise ProviderFails("where browsers find the console is not known: CONSOLE_URL is not set")
    return f"{console.url}/login/back"


def _fails(error: ProviderFails) -> str:
    return f"the provider is of no use now: {error.reason}. A token works as ever"

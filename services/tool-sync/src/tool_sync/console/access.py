"""Who asks for a page, and whether they may: the needs of every route, and forms that only our own pages can send."""

import hmac
from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from starlette.requests import ClientDisconnect

from tool_sync.console.session import cookie_of
from tool_sync.console.state import console_of
from tool_sync.domain.tool_setting import reason_problem
from tool_sync.http.access import actor_of
from tool_sync.http.problems import Problem
from tool_sync.http.state import state_of
from zerotouch_contracts.errors import CATALOGUE, ErrorCode
from zerotouch_platform.auth import READS, AnyScope, Caller, Need, Platform, RouteNeed, Scope, require

FORM_BYTES_MAX: Final = 16 * 1024
_FIELDS_MAX: Final = 40

NEEDS: Final[Mapping[tuple[str, str], RouteNeed]] = {
    ("GET", "/"): READS,
    ("GET", "/login"): Need.NOTHING,
    ("POST", "/login"): Need.NOTHING,
    ("GET", "/login/provider"): Need.NOTHING,
    ("GET", "/login/back"): Need.NOTHING,
    ("POST", "/logout"): Need.NOTHING,
    ("GET", "/enter/{code}"): Need.NOTHING,
    ("POST", "/enter/{code}"): Need.NOTHING,
    ("GET", "/embed/{code}"): Need.NOTHING,
    ("GET", "/lights"): Need.PLATFORM,
    ("GET", "/search"): READS,
    ("GET", "/tonight"): Need.PLATFORM,
    ("GET", "/waiting"): Need.PLATFORM,
    ("GET", "/failures"): Need.PLATFORM,
    ("GET", "/live"): READS,
    ("GET", "/live/stream"): READS,
    ("POST", "/failures/retry"): Need.PLATFORM,
    ("GET", "/lacking"): Need.PLATFORM,
    ("GET", "/retries/{job_id}"): Need.PLATFORM,
    ("GET", "/retries/{job_id}/part"): Need.PLATFORM,
    ("POST", "/retries/{job_id}/stop"): Need.PLATFORM,
    ("GET", "/orgs/{org_id}"): READS,
    ("GET", "/orgs/{org_id}/assistants"): READS,
    ("GET", "/orgs/{org_id}/agents/{agent_id}"): READS,
    ("POST", "/orgs/{org_id}/tools/{tool}/settings"): AnyScope((Scope.SETTINGS_WRITE,)),
    ("POST", "/orgs/{org_id}/notices"): AnyScope((Scope.SETTINGS_WRITE,)),
    ("POST", "/orgs/{org_id}/notices/{action}"): AnyScope((Scope.SETTINGS_WRITE,)),
    ("POST", "/orgs/{org_id}/status-links"): AnyScope((Scope.SETTINGS_WRITE,)),
    ("POST", "/orgs/{org_id}/status-links/{link_id}/remove"): AnyScope((Scope.SETTINGS_WRITE,)),
    ("GET", "/tools"): Need.PLATFORM,
    ("GET", "/tools/{tool}"): Need.PLATFORM,
    ("GET", "/tools/{tool}/diff"): Need.PLATFORM,
    ("GET", "/tools/{tool}/versions/{version}"): Need.PLATFORM,
    ("POST", "/tools/{tool}/versions/{version}/{action}"): Need.PLATFORM,
    ("POST", "/tools/{tool}/{action}"): Need.PLATFORM,
    ("GET", "/publish"): Need.PLATFORM,
    ("POST", "/publish"): Need.PLATFORM,
    ("GET", "/rollouts"): Need.PLATFORM,
    ("GET", "/rollout-bars"): Need.PLATFORM,
    ("GET", "/rollouts/{rollout_id}"): Need.PLATFORM,
    ("GET", "/rollouts/{rollout_id}/bar"): Need.PLATFORM,
    ("GET", "/rollouts/{rollout_id}/orgs"): Need.PLATFORM,
    ("POST", "/rollouts/{rollout_id}/{command}"): Need.PLATFORM,
    ("GET", "/system"): Need.PLATFORM,
    ("POST", "/system/letters/{row}/acknowledge"): Need.PLATFORM,
    ("POST", "/system/losses/{row}/acknowledge"): Need.PLATFORM,
    ("POST", "/system/sandbox/{turned}"): Need.PLATFORM,
    ("GET", "/log"): Need.PLATFORM,
}
"""By method and path below ``/console``. A page that is not in it is shown to nobody."""


def _caller(request: Request) -> Caller:
    caller = state_of(request).verifier.caller_of(request.headers.get("authorization"))
    require(caller, NEEDS[request.method, request.scope["route"].path])
    return caller


PageCaller = Annotated[Caller, Depends(_caller)]
"""Who is signed in, where that is enough for the page. Raises ``TokenRefused`` and ``NotAllowed``."""


def _platform(caller: PageCaller) -> Platform:
    if not isinstance(caller, Platform):
        raise Problem(403, ErrorCode.FORBIDDEN, "this page is for who runs the platform")
    return caller


PlatformPage = Annotated[Platform, Depends(_platform)]


class FormRefused(Exception):
    """What was sent cannot be done; ``why`` is for the page."""

    def __init__(self, why: str, status: int = 422) -> None:
        self.why, self.status = why, status
        super().__init__(why)


def why_not(error: FormRefused | Problem) -> str:
    """What is said to whoever asked for what cannot be done."""
    if isinstance(error, FormRefused):
        return error.why
    entry = CATALOGUE[error.code]
    return error.detail or f"{entry.meaning} {entry.what_to_do}"


async def form_of(request: Request, bytes_max: int = FORM_BYTES_MAX) -> dict[str, str]:
    """The fields of a form, each once. Raises :class:`FormRefused`."""
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > bytes_max:
                raise FormRefused("the form is too long", 413)
    except ClientDisconnect:
        raise FormRefused("the form did not arrive whole", 400) from None
    try:
        return dict(
            parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS_MAX, errors="strict")
        )
    except ValueError:
        raise FormRefused("the form cannot be read", 400) from None


async def own_form(request: Request, bytes_max: int = FORM_BYTES_MAX) -> dict[str, str]:
    """The fields of a form that a page of ours has sent, in the browser of who is signed in. Raises
    :class:`FormRefused`."""
    require_own_site(request)
    form = await form_of(request, bytes_max)
    if not hmac.compare_digest(form.pop("form_token", "").encode(), form_token(request).encode()):
        raise FormRefused("this form was made before you signed in: open the page again", 403)
    return form


def require_own_site(request: Request) -> None:
    """Refuse what another site made this browser send. Raises :class:`FormRefused`."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise FormRefused("another site has sent this form", 403)


def form_token(request: Request) -> str:
    """The hidden field of every form."""
    return console_of(request).sealer.form_token(cookie_of(request.headers.get("cookie")))


def reason_of(form: Mapping[str, str], caller: Caller) -> tuple[str, str]:
    """The form's reason, which is kept for ever, and who gives it. Raises :class:`FormRefused`."""
    reason = form.get("reason", "").strip()
    if (problem := reason_problem(reason)) is not None:
        raise FormRefused(f"reason: {problem}")
    return reason, actor_of(caller)

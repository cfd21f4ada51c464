"""Signing in with a token that somebody has, and out again; the way to the provider is beside it."""

from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from tool_sync.console.access import FormRefused, form_of, own_form, require_own_site
from tool_sync.console.pages import page, see_other
from tool_sync.console.session import TokenTooLong, cookie_of
from tool_sync.console.state import console_of
from tool_sync.http.state import state_of
from zerotouch_platform.auth import TokenRefused, TokenUnsure

TOO_LONG: Final = "the token is too long for a browser's cookie: ask for one with fewer claims"
_PATH_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_.~%?&=+:@")

router = APIRouter()


@router.get("/login")
async def get_login(request: Request, to: str = "/", why: str = "") -> HTMLResponse:
    """The form."""
    return login_page(request, own_path(to), why[:200])


@router.post("/login")
async def post_login(request: Request) -> Response:
    """Sets the cookie where the token is good, and goes where the reader wanted to be."""
    to = "/"
    try:
        require_own_site(request)
        form = await form_of(request)
        to = own_path(form.get("to", "/"))
        token = form.get("token", "").strip().removeprefix("Bearer ").strip()
        state_of(request).verifier.caller_of(f"Bearer {token}")
        response = see_other(to)
        console_of(request).sealer.sign_in(response, token)
    except FormRefused as error:
        return login_page(request, to, error.why, error.status)
    except TokenUnsure as error:
        return login_page(request, to, error.reason, 503)
    except TokenRefused as error:
        return login_page(request, to, error.reason, 401)
    except TokenTooLong:
        return login_page(request, to, TOO_LONG, 422)
    return response


@router.post("/logout")
async def post_logout(request: Request) -> Response:
    """Has the browser forget who is signed in; a token itself stays good until it ends or is taken back.

    Who came from the provider goes on to sign out there: by a page, as no form of ours may lead to another site.
    """
    await own_form(request)
    sealer = console_of(request).sealer
    person = sealer.person_of(cookie_of(request.headers.get("cookie")))
    provider, console = console_of(request).process.provider, state_of(request).console
    address = None
    if person is not None and provider is not None and console is not None and console.url is not None:
        address = await provider.address_to_sign_out(person.get("id_token"), f"{console.url}/login")
    response: Response
    if address is None:
        response = see_other("/login")
    else:
        response = page(request, "going_on", None, leads_to=address, words="You are signed out here.")
    sealer.sign_out(response)
    return response


def login_page(request: Request, to: str, why: str = "", status: int = 200) -> HTMLResponse:
    """The form, and the way to the provider where there is one; ``why``: what went wrong, if anything."""
    provider, console = console_of(request).process.provider, state_of(request).console
    name = address = None
    if provider is not None and console is not None and console.url is not None:
        # Where browsers come back to: a cookie that begins at another name of this machine would not be there then.
        name, address = provider.client.name, f"{console.url}/login/provider?to={quote(to)}"
    return page(request, "login", None, to=to, why=why, provider=name, provider_address=address, status=status)


def own_path(path: str) -> str:
    """A path of the console, to go to after signing in; the first page where it is anything else."""
    is_own = path.startswith("/") and not path.startswith("//") and set(path) <= _PATH_CHARACTERS
    return path if is_own else "/"

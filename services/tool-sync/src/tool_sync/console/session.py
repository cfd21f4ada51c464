"""Who is signed in, sealed in a cookie: the caller's own bearer token, or what somebody may do whom a provider knows.

Nothing is kept beside it, so a token that expires or is taken back ends its page, too, and every replica knows every
caller. The cookie is read before anything else and becomes the header ``Authorization``: limits, spans and routes see
what a program would send. A person's cookie goes by a scheme that only this process knows, and no program can send.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from zerotouch_platform.sealing import SealingKey

PREFIX: Final = "/console"
COOKIE: Final = "zerotouch_console"
COOKIE_CHARACTERS_MAX: Final = 3900
"""Browsers drop a cookie of more than 4,096 bytes, its name and attributes included, without a word."""
_PURPOSE: Final = b"zerotouch console"
_LINK: Final = b"zerotouch console link "
_PERSON: Final = b"zerotouch console person"
_ATTEMPT: Final = b"zerotouch console sign-in"
ATTEMPT_COOKIE: Final = "zerotouch_console_sign_in"
ATTEMPT_SECONDS: Final = 600
_ATTEMPT_PATH: Final = f"{PREFIX}/login"


class TokenTooLong(Exception):
    """No browser keeps a cookie of this length."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in at the provider that this browser has begun at ``at`` (seconds), and that leads to ``to``."""

    state: str
    nonce: str
    verifier: str
    to: str
    at: int


class Sealer:
    """Seals tokens with ``key`` (32 bytes), which every process has that answers at the same address."""

    def __init__(self, key: bytes, *, is_secure: bool) -> None:
        self._key, self._is_secure = SealingKey(key), is_secure
        self._form_key = hmac.digest(key, b"forms of the console", hashlib.sha256)
        self._scheme = f"Session-{secrets.token_hex(16)} "

    def seal(self, token: str) -> str:
        """The cookie's value. Raises :class:`TokenTooLong`."""
        return self._sealed(token, _PURPOSE)

    def unseal(self, cookie: str) -> str | None:
        """The token; None where this is no cookie of ours, or one of another key."""
        return self._unsealed(cookie, _PURPOSE)

    def seal_link(self, token: str, code: bytes) -> str | None:
        """What a one-time link's row holds: no cookie, and of no use without the link's code. None: it is too long."""
        try:
            return self._sealed(token, _LINK + code)
        except TokenTooLong:
            return None

    def unseal_link(self, sealed: str, code: bytes) -> str | None:
        """The token; None where it was sealed with another key or code."""
        return self._unsealed(sealed, _LINK + code)

    def _sealed(self, token: str, purpose: bytes) -> str:
        sealed = base64.urlsafe_b64encode(self._key.seal(token, purpose)).decode()
        if len(sealed) > COOKIE_CHARACTERS_MAX:
            raise TokenTooLong
        return sealed

    def _unsealed(self, text: str, purpose: bytes) -> str | None:
        try:
            return self._key.open(base64.urlsafe_b64decode(text.encode("ascii")), purpose)
        except ValueError:  # also what is no base64, no ASCII or too short
            return None

    def form_token(self, cookie: str) -> str:
        """What a form must carry that is sent with this cookie: only our pages can know it."""
        return hmac.digest(self._form_key, cookie.encode(errors="replace"), hashlib.sha256).hex()

    def sign_in(self, response: Response, token: str) -> None:
        """Raises :class:`TokenTooLong`. Until the browser is closed, or the token ends."""
        response.set_cookie(
            COOKIE, self.seal(token), path=PREFIX, httponly=True, samesite="strict", secure=self._is_secure
        )

    def sign_out(self, response: Response) -> None:
        """Have the browser forget the cookie."""
        response.delete_cookie(COOKIE, path=PREFIX, httponly=True, samesite="strict", secure=self._is_secure)

    def sign_in_person(self, response: Response, session: Mapping[str, Any], id_token: str) -> str:
        """Claims of ours, with ``exp``, for this browser; and the provider's token, to sign out there, if it fits.

        Returns the header that the cookie becomes. Raises :class:`TokenTooLong`.
        """
        try:
            cookie = self._sealed(json.dumps({**session, "id_token": id_token}), _PERSON)
        except TokenTooLong:
            cookie = self._sealed(json.dumps(session), _PERSON)
        response.set_cookie(COOKIE, cookie, path=PREFIX, httponly=True, samesite="strict", secure=self._is_secure)
        return self._scheme + cookie

    def person_of(self, cookie: str) -> dict[str, Any] | None:
        """What :meth:`sign_in_person` has sealed; None where it is no such cookie."""
        text = self._unsealed(cookie, _PERSON)
        found: dict[str, Any] | None = None if text is None else json.loads(text)
        return found

    def claims_of(self, authorization: str) -> dict[str, Any] | None:
        """The claims of a header that :meth:`header_of` has made of a person's cookie."""
        if not authorization.startswith(self._scheme):
            return None
        return self.person_of(authorization.removeprefix(self._scheme))

    def header_of(self, cookie: str) -> str | None:
        """The header ``Authorization`` that the console's cookie stands for; None: it is nobody's."""
        if (token := self.unseal(cookie)) is not None:
            return f"Bearer {token}"
        return None if self.person_of(cookie) is None else self._scheme + cookie

    def begin(self, response: Response, attempt: SignIn) -> None:
        """Bind a sign-in at the provider to this browser."""
        sealed = self._sealed(json.dumps(asdict(attempt)), _ATTEMPT)
        response.set_cookie(
            ATTEMPT_COOKIE,
            sealed,
            max_age=ATTEMPT_SECONDS,
            path=_ATTEMPT_PATH,
            httponly=True,
            samesite="lax",
            secure=self._is_secure,
        )

    def end(self, response: Response) -> None:
        """Have the browser forget it."""
        response.delete_cookie(
            ATTEMPT_COOKIE, path=_ATTEMPT_PATH, httponly=True, samesite="lax", secure=self._is_secure
        )

    def attempt_of(self, cookie: str) -> SignIn | None:
        """What this browser has begun; None where it has not, or too long ago."""
        if (text := self._unsealed(cookie, _ATTEMPT)) is None:
            return None
        attempt = SignIn(**json.loads(text))
        return attempt if 0 <= time.time() - attempt.at <= ATTEMPT_SECONDS else None


class CookieBearer:
    """ASGI middleware, outside of everything that asks who calls: below ``/console`` the cookie is the token."""

    def __init__(self, app: ASGIApp, sealer: Sealer) -> None:
        self._app, self._sealer = app, sealer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/"):
            headers = MutableHeaders(raw=list(scope["headers"]))
            del headers["authorization"]  # a page is for who is signed in, and for nobody else
            if (cookie := cookie_of(headers.get("cookie"))) and (header := self._sealer.header_of(cookie)) is not None:
                headers["authorization"] = header
            scope = {**scope, "headers": headers.raw}
        await self._app(scope, receive, send)


def cookie_of(header: str | None, name: str = COOKIE) -> str:
    """The console's cookie among those of a request; empty where there is none."""
    try:
        found = SimpleCookie(header or "").get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value

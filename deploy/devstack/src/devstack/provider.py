"""A tiny OpenID Connect provider for this machine: it knows three people, and lets in whoever says to be one of them.

For development, and never beside the real Vapi, which tool-sync's settings refuse. What it has is what a real one has:
discovery, a code that is good once within a minute, PKCE, a client with a secret, keys, RFC 9207's `iss`, signing out.

    python -m devstack.provider --port 3005 --back http://127.0.0.1:3002/console/login/back --signed-out …/console/login
"""

import argparse
import base64
import hashlib
import hmac
import html
import json
import os
import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

import httpx
import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from devstack import process
from devstack.ports import HOST, free_port

CLIENT_ID = "console"
SECRET_VARIABLE = "DEVSTACK_PROVIDER_SECRET"  # noqa: S105 - a name
OPERATORS, OWNERS, STAFF = "operators", "clinic-owners", "clinic-staff"
CODE_SECONDS = 60
TOKEN_SECONDS = 8 * 3600
START_SECONDS = 20.0
PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "kim": {"sub": "u-1001", "name": "Kim Lee", "groups": [OPERATORS]},
    "ada": {"sub": "u-1002", "name": "Ada Adler", "groups": [OWNERS]},
    "jo": {"sub": "u-1003", "name": "Jo Doe", "groups": []},
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Who are you?</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<body><main><h1>Who are you?</h1>
<p>This stands in for your company's sign-in while you develop. It asks for no password.</p>
<form method="post">
<p><button name="person" value="kim">Kim Lee, who runs the platform</button></p>
<p><label for="org_id">Clinic (a UUID)</label> <input id="org_id" name="org_id" size="36">
<button name="person" value="ada">Ada Adler, who owns that clinic</button></p>
<p><button name="person" value="jo">Jo Doe, who may do nothing here</button></p>
</form></main></body></html>"""


@dataclass(frozen=True, slots=True)
class _Granted:
    """What a code stands for."""

    claims: Mapping[str, Any]
    challenge: str
    until: float


@dataclass
class Provider:
    """One provider with one client, whose browsers come back to ``back`` and, signed out, to ``signed_out``."""

    issuer: str
    client_secret: str
    back: str
    signed_out: str
    key: RSAPrivateKey = field(default_factory=lambda: generate_private_key(public_exponent=65537, key_size=2048))
    key_id: str = field(default_factory=lambda: secrets.token_hex(4))
    codes: dict[str, _Granted] = field(default_factory=dict)

    def app(self) -> Starlette:
        """The provider as an application."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.say_what_it_is),
                Route("/keys", self.say_keys),
                Route("/authorize", self.ask),
                Route("/authorize", self.grant, methods=["POST"]),
                Route("/token", self.exchange, methods=["POST"]),
                Route("/sign-out", self.sign_out),
            ]
        )

    def document(self) -> dict[str, Any]:
        """What it says of itself (OpenID Connect Discovery 1.0)."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/sign-out",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
        }

    def keys(self) -> dict[str, Any]:
        """Its public keys (RFC 7517)."""
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": self.key_id, "alg": "RS256", "use": "sig"}]}

    def signed(self, claims: Mapping[str, Any]) -> str:
        """An ID token."""
        return jwt.encode(dict(claims), self.key, "RS256", headers={"kid": self.key_id})

    async def say_what_it_is(self, _: Request) -> Response:
        return JSONResponse(self.document())

    async def say_keys(self, _: Request) -> Response:
        return JSONResponse(self.keys())

    async def ask(self, request: Request) -> Response:
        """The page on which somebody says who they are."""
        if (problem := self._asked_wrongly(request)) is not None:
            return PlainTextResponse(problem, 400)
        return HTMLResponse(_PAGE)

    async def grant(self, request: Request) -> Response:
        """Back to the console, with a code."""
        if (problem := self._asked_wrongly(request)) is not None:
            return PlainTextResponse(problem, 400)
        form = dict(parse_qsl((await request.body()).decode()))
        asked, now = request.query_params, time.time()
        answer = {"state": asked["state"], "iss": self.issuer}
        if (person := PEOPLE.get(form.get("person", ""))) is None:
            return RedirectResponse(f"{self.back}?{urlencode({'error': 'access_denied', **answer})}", 303)
        clinic = {"org_id": form["org_id"].strip()} if form.get("org_id") else {}
        times = {"iat": int(now), "exp": int(now) + TOKEN_SECONDS}
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "nonce": asked["nonce"], **times, **person, **clinic}
        code = secrets.token_urlsafe(32)
        self.codes[code] = _Granted(claims, asked["code_challenge"], now + CODE_SECONDS)
        return RedirectResponse(f"{self.back}?{urlencode({'code': code, **answer})}", 303)

    async def exchange(self, request: Request) -> Response:
        """An ID token for a code, once, for who has the client's secret and the verifier of who asked for it."""
        form = dict(parse_qsl((await request.body()).decode()))
        if not self._is_client(request.headers.get("authorization", "")):
            return JSONResponse({"error": "invalid_client"}, 401)
        granted = self.codes.pop(form.get("code", ""), None)
        hashed = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).decode().rstrip("=")
        if (
            granted is None
            or granted.until < time.time()
            or form.get("redirect_uri") != self.back
            or not hmac.compare_digest(challenge, granted.challenge)
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = {"access_token": secrets.token_urlsafe(32), "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return JSONResponse({**token, "id_token": self.signed(granted.claims)})

    async def sign_out(self, request: Request) -> Response:
        """It remembers nobody; back to the console where it was asked to."""
        if request.query_params.get("post_logout_redirect_uri") == self.signed_out:
            return RedirectResponse(self.signed_out, 303)
        return HTMLResponse(f"<h1>You are signed out of {html.escape(self.issuer)}</h1>")

    def _asked_wrongly(self, request: Request) -> str | None:
        asked = request.query_params
        if asked.get("client_id") != CLIENT_ID or asked.get("redirect_uri") != self.back:
            return "the client, or where it wants to be answered, is not known here"
        if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            return "only a code, with PKCE and S256, can be had here"
        if "openid" not in asked.get("scope", "").split():
            return "the scope openid is missing"
        missing = [name for name in ("state", "nonce", "code_challenge") if not asked.get(name)]
        return f"{missing[0]} is missing" if missing else None

    def _is_client(self, authorization: str) -> bool:
        try:
            pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        except ValueError:
            return False
        name, _, secret = pair.partition(":")
        return unquote_plus(name) == CLIENT_ID and hmac.compare_digest(
            unquote_plus(secret).encode(), self.client_secret.encode()
        )


@dataclass(frozen=True, slots=True)
class Running:
    """A provider as a process of its own: its issuer, and the secret of its client."""

    issuer: str
    client_secret: str
    child: process.Child

    def env(self) -> dict[str, str]:
        """tool-sync's settings with it."""
        return {
            "CONSOLE_OIDC_ISSUER": self.issuer,
            "CONSOLE_OIDC_NAME": "devstack",
            "CONSOLE_OIDC_CLIENT_ID": CLIENT_ID,
            "CONSOLE_OIDC_CLIENT_SECRET": self.client_secret,
            "CONSOLE_OIDC_PLATFORM": OPERATORS,
            "CONSOLE_OIDC_ORG": f"{OWNERS}=sync settings:write, {STAFF}=sync",
        }


async def start(console_url: str, *, log: Path, port: int | None = None, detached: bool = False) -> Running:
    """Starts a provider for the console at ``console_url``; returns once it answers."""
    port = free_port() if port is None else port
    issuer, secret = f"http://{HOST}:{port}", secrets.token_urlsafe(32)
    back = ["--back", f"{console_url}/login/back", "--signed-out", f"{console_url}/login"]
    child = process.start(
        "sign-in provider",
        [sys.executable, "-m", "devstack.provider", "--port", str(port), *back],
        log=log,
        env={SECRET_VARIABLE: secret},
        detached=detached,
    )
    await child.ready(lambda: _not_answering(issuer), START_SECONDS)
    return Running(issuer, secret, child)


async def _not_answering(issuer: str) -> str | None:
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            answer = await client.get(f"{issuer}/.well-known/openid-configuration")
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return None if answer.status_code == 200 else f"it answers {answer.status_code}"


def main() -> None:
    """Serves at this machine alone until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m devstack.provider", description="Stand in for a provider.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--back", required=True, help="where browsers go with a code")
    parser.add_argument("--signed-out", required=True, help="where they go when they are signed out")
    given = parser.parse_args()
    provider = Provider(f"http://{HOST}:{given.port}", os.environ[SECRET_VARIABLE], given.back, given.signed_out)
    uvicorn.run(provider.app(), host=HOST, port=given.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()

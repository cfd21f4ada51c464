"""Asks the provider, in bounded time and length: where its parts are, its keys, and the ID token of a code.

What it says of itself (OpenID Connect Discovery 1.0) is read when somebody signs in, and is good for five minutes; one
that is away then leaves the last. Whoever comes while it is away is told at once: it is asked again after five seconds.
"""

import asyncio
import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

import structlog

from tool_sync.console.oidc.id_token import IdTokenRefused, claims_of
from tool_sync.console.oidc.rights import Rules
from tool_sync.console.session import SignIn
from tool_sync.settings import Settings
from zerotouch_platform.fetch import Fetched, NotFetched, fetch
from zerotouch_platform.public_key import Algorithm, PublicKey
from zerotouch_platform.settings import secure_url
from zerotouch_platform.token_keys import SET_BYTES_MAX, KeysUnusable, KeyUnknown, keys_in

log = structlog.get_logger(__name__)

DOCUMENT_BYTES_MAX: Final = 256 * 1024
KNOWN_SECONDS: Final = 300.0
AGAIN_SECONDS: Final = 5.0
"""Between two questions for what could not be had, or for a key that a token names and nobody knows."""
_ERROR: Final = re.compile("[a-z_]{1,40}")


class ProviderFails(Exception):
    """The provider is of no use now. ``reason`` is a part of a sentence, and names nothing that is secret."""

    def __init__(self, reason: str, status: int = 503) -> None:
        self.reason, self.status = reason, status
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Client:
    """What the console is to the provider, and what it asks for."""

    issuer: str
    name: str
    client_id: str
    client_secret: str | None
    algorithm: Algorithm
    scopes: str
    rules: Rules
    session_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> "Client | None":
        """That of the settings; None where there is no provider."""
        if settings.console_oidc_issuer is None or settings.console_oidc_client_id is None:
            return None
        secret = settings.console_oidc_client_secret
        return cls(
            settings.console_oidc_issuer,
            settings.console_oidc_name,
            settings.console_oidc_client_id,
            None if secret is None else secret.get_secret_value(),
            settings.console_oidc_algorithm,
            settings.console_oidc_scopes,
            Rules.of(settings),
            settings.console_session_seconds,
        )


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the provider's parts are. ``names_itself``: each of its answers says whose it is (RFC 9207)."""

    authorization: str
    token: str
    keys: str
    end_session: str | None
    names_itself: bool
    takes_basic: bool


class Provider:
    """One provider, as this process knows it."""

    def __init__(self, client: Client, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.client, self._monotonic = client, monotonic
        self._asking = asyncio.Lock()
        self._parts: Addresses | None = None
        self._parts_at = self._failed_at = self._keys_at = -KNOWN_SECONDS
        self._problem: ProviderFails | None = None
        self._keys: Mapping[str, PublicKey] = {}
        self._keys_problem: ProviderFails | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Provider | None":
        """That of the settings, if there is one."""
        client = Client.of(settings)
        return None if client is None else cls(client)

    async def parts(self) -> Addresses:
        """Where its parts are. Raises :class:`ProviderFails`."""
        async with self._asking:
            if self._parts is not None and self._monotonic() - self._parts_at < KNOWN_SECONDS:
                return self._parts
            if self._problem is None or self._monotonic() - self._failed_at >= AGAIN_SECONDS:
                await self._discover()
            if self._parts is None:
                assert self._problem is not None
                raise ProviderFails(self._problem.reason, self._problem.status)
            return self._parts

    async def _discover(self) -> None:
        try:
            self._parts = await self._discovered()
        except ProviderFails as error:
            self._problem, self._failed_at = error, self._monotonic()
            log.warning("The provider that people sign in with is of no use", reason=error.reason)
        else:
            self._problem, self._parts_at = None, self._monotonic()

    async def _discovered(self) -> Addresses:
        url = f"{self.client.issuer.rstrip('/')}/.well-known/openid-configuration"
        document = _object(await self._asked(url, "it"), "what it says of itself")
        if document.get("issuer") != self.client.issuer:
            raise ProviderFails("it calls itself by another name than CONSOLE_OIDC_ISSUER")
        methods = document.get("code_challenge_methods_supported")
        if isinstance(methods, list) and "S256" not in methods:
            raise ProviderFails("it has no PKCE with S256")
        algorithms = document.get("id_token_signing_alg_values_supported")
        if isinstance(algorithms, list) and self.client.algorithm not in algorithms:
            raise ProviderFails(f"it does not sign with {self.client.algorithm}, which CONSOLE_OIDC_ALGORITHM says")
        basic = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return Addresses(
            self._address(document, "authorization_endpoint"),
            self._address(document, "token_endpoint"),
            self._address(document, "jwks_uri"),
            self._address(document, "end_session_endpoint") if document.get("end_session_endpoint") else None,
            document.get("authorization_response_iss_parameter_supported") is True,
            isinstance(basic, list) and "client_secret_basic" in basic,
        )

    def _address(self, document: Mapping[str, Any], name: str) -> str:
        """An address of the document: https, and plain http only of this machine, for a provider of this machine."""
        try:
            url = document[name]
            secure_url(url)
            is_secure = url.startswith("https:") or self.client.issuer.startswith("http:")
        except (KeyError, ValueError, TypeError, AttributeError):
            is_secure = False
        if not is_secure or urlsplit(url).fragment or not url.isascii() or not url.isprintable():
            raise ProviderFails(f"it has no {name} with https")
        return str(url)

    async def address_to_sign_in(self, attempt: SignIn, back: str) -> str:
        """Where a browser goes that begins ``attempt``, to come back to ``back``. Raises :class:`ProviderFails`."""
        challenge = hashlib.sha256(attempt.verifier.encode()).digest()
        return _with_query(
            (await self.parts()).authorization,
            response_type="code",
            client_id=self.client.client_id,
            redirect_uri=back,
            scope=self.client.scopes,
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            code_challenge_method="S256",
        )

    async def address_to_sign_out(self, id_token: str | None, back: str) -> str | None:
        """Where a browser goes to be signed out of the provider, too, if it has such a place and says so now."""
        try:
            end_session = (await self.parts()).end_session
        except ProviderFails:
            return None
        if end_session is None:
            return None
        hint = {} if id_token is None else {"id_token_hint": id_token}
        return _with_query(end_session, client_id=self.client.client_id, post_logout_redirect_uri=back, **hint)

    async def id_token_of(self, code: str, attempt: SignIn, back: str) -> tuple[str, Mapping[str, Any]]:
        """The ID token of a code, which is used up by that, and its claims.

        Raises :class:`ProviderFails` and :class:`IdTokenRefused`.
        """
        parts = await self.parts()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "client_id": self.client.client_id,
            "code_verifier": attempt.verifier,
        }
        headers = {}
        if self.client.client_secret is not None and parts.takes_basic:
            pair = f"{quote_plus(self.client.client_id)}:{quote_plus(self.client.client_secret)}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif self.client.client_secret is not None:
            form["client_secret"] = self.client.client_secret
        answer = _object(await self._asked(parts.token, "it", form, headers), "its answer")
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderFails("it has sent no ID token", 502)
        return token, await self._claims(token, parts, attempt)

    async def _claims(self, token: str, parts: Addresses, attempt: SignIn) -> Mapping[str, Any]:
        def claims() -> Mapping[str, Any]:
            client = self.client
            return claims_of(
                token,
                self._keys,
                algorithm=client.algorithm,
                issuer=client.issuer,
                client_id=client.client_id,
                nonce=attempt.nonce,
            )

        has_keys = self._keys and self._keys_problem is None
        await self._read_keys(parts, KNOWN_SECONDS if has_keys else AGAIN_SECONDS)
        try:
            return claims()
        except KeyUnknown:  # it may have begun with a new one
            await self._read_keys(parts, AGAIN_SECONDS)
        try:
            return claims()
        except KeyUnknown:
            if self._keys_problem is not None:
                raise ProviderFails(self._keys_problem.reason) from None
            raise IdTokenRefused("what the provider says is signed with a key that it does not publish") from None

    async def _read_keys(self, parts: Addresses, seconds: float) -> None:
        """Read the keys where they were last asked for so long ago. What cannot be read leaves the last ones."""
        async with self._asking:
            if self._monotonic() - self._keys_at < seconds:
                return
            try:
                document = await self._asked(parts.keys, "its address of keys", bytes_max=SET_BYTES_MAX)
                self._keys, self._keys_problem = keys_in(document.body, self.client.algorithm), None
            except KeysUnusable as error:
                self._keys_problem = ProviderFails(f"its keys are of no use: {error}")
            except ProviderFails as error:
                self._keys_problem = error
            self._keys_at = self._monotonic()

    async def _asked(
        self,
        url: str,
        what: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        bytes_max: int = DOCUMENT_BYTES_MAX,
    ) -> Fetched:
        try:
            answer = await fetch(url, bytes_max=bytes_max, form=form, headers=headers)
        except NotFetched as error:
            raise ProviderFails(f"{what} {error}") from None
        if answer.status == 200:
            return answer
        if form is None or answer.status >= 500:
            raise ProviderFails(f"{what} answers {answer.status}")
        # Nothing of its words: they are a stranger's, and may hold what was sent.
        why = error_told(_object(answer, "its answer").get("error"))
        if why == "invalid_grant":
            raise IdTokenRefused("the provider takes what it had sent no more: begin again")
        raise ProviderFails(f"it refuses this console: {why}", 502)


def attempt_to(path: str) -> SignIn:
    """A new sign-in, of which nobody knows anything; ``path`` is where it leads."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return SignIn(state, nonce, verifier, path, int(time.time()))


def error_told(error: object) -> str:
    """An error code of the provider's (RFC 6749, section 5.2), as it may be shown."""
    return error if isinstance(error, str) and _ERROR.fullmatch(error) else "without a word that can be shown"


def _object(answer: Fetched, what: str) -> Mapping[str, Any]:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProviderFails(f"{what} cannot be read", 502)
    return found


def _with_query(url: str, **fields: str) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(fields)}"

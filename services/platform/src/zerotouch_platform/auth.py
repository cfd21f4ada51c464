"""Who is calling: bearer tokens (JWT), verified with a public key; neither service can sign one.

The algorithm is the configured one, never the token's own choice. A token has ``iss``, ``aud``, ``exp``, ``sub`` and a
``role``: ``platform`` may do everything for every organization, ``org`` what a clinic may for its own ``org_id``.

The claim ``scope`` says which part of that an ``org`` token has (ADR 57); what each route needs is in a table of each
service, of :data:`Need`.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal, Protocol
from uuid import UUID

import jwt

from zerotouch_platform.public_key import PublicKey
from zerotouch_platform.revoked_tokens import RevokedTokens
from zerotouch_platform.token_keys import KeySettings, KeyUnknown, TokenKeys

LEEWAY_SECONDS: Final = 30
"""How far the clock of whoever signs may be from ours."""
TOKEN_CHARACTERS_MAX: Final = 8192
VERIFIED_MAX: Final = 1_000
"""Tokens whose signature is remembered, with the key that verified it; whoever was not seen longest is forgotten."""
TAKEN_BACK: Final = "the token was taken back"


class Scope(StrEnum):
    """Parts of what the role ``org`` may do."""

    APPOINTMENTS_READ = "appointments:read"
    AGENTS_WRITE = "agents:write"
    SYNC = "sync"
    SETTINGS_WRITE = "settings:write"
    ERASURES_WRITE = "erasures:write"


SCOPES: Final[Mapping[Scope, str]] = {
    Scope.APPOINTMENTS_READ: "Read the clinic's patients, and who has read them.",
    Scope.AGENTS_WRITE: "Add, change and delete the clinic's agents.",
    Scope.SYNC: "Ask for syncs, and follow what becomes of them.",
    Scope.SETTINGS_WRITE: "Change the clinic's calendar, its tools and its change window.",
    Scope.ERASURES_WRITE: "Erase the clinic's patients, for good, and see the receipts.",
}
"""What each lets somebody do, as OpenAPI shows it."""


@dataclass(frozen=True, slots=True)
class Platform:
    """The operator of the platform: every organization. ``token_id`` is the claim ``jti``."""

    subject: str
    role: Literal["platform"] = "platform"
    token_id: str | None = None


@dataclass(frozen=True, slots=True)
class OrgMember:
    """A clinic: its own organization only. ``scopes`` None: the token names none, and has all that the role may."""

    subject: str
    org_id: UUID
    role: Literal["org"] = "org"
    scopes: frozenset[Scope] | None = None
    token_id: str | None = None


Caller = Platform | OrgMember


@dataclass(frozen=True, slots=True)
class AnyScope:
    """A route for a clinic's token with any of these scopes, and for the platform. The first is the one to ask for."""

    scopes: tuple[Scope, ...]


class Need(StrEnum):
    """What a route needs that asks for no scope."""

    PLATFORM = "platform"
    NOTHING = "nothing"
    """No token: health, documentation, and what has a credential of its own."""


RouteNeed = AnyScope | Need
READS: Final = AnyScope((Scope.SYNC, Scope.AGENTS_WRITE, Scope.SETTINGS_WRITE))
"""What is a clinic's and no patient's."""


class NotAllowed(Exception):
    """The token is good, and not for this. ``scope``: which one it lacks; None where it lacks the role."""

    def __init__(self, scope: Scope | None) -> None:
        self.scope = scope
        what = "role platform" if scope is None else f"scope {scope}"
        super().__init__(f"this needs a token with the {what}")

    @property
    def challenge(self) -> str:
        """The header ``WWW-Authenticate`` (RFC 6750, section 3.1)."""
        return 'Bearer error="insufficient_scope"' + ("" if self.scope is None else f', scope="{self.scope}"')


def require(caller: Caller, need: RouteNeed) -> None:
    """Raise :class:`NotAllowed` where the caller's token is not enough for a route."""
    match caller, need:
        case Platform(), _:
            return
        case OrgMember(), Need.PLATFORM:
            raise NotAllowed(None)
        case OrgMember(scopes=scopes), AnyScope(enough) if scopes is not None and scopes.isdisjoint(enough):
            raise NotAllowed(enough[0])
        case _:
            return


class TokenRefused(Exception):
    """The token does not say who is calling. ``reason`` is for the caller and names no secret."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class TokenUnsure(TokenRefused):
    """Nothing is wrong with the token, but whether it was taken back is not known yet: 503, not its holder's fault."""


class JwtSettings(KeySettings, Protocol):
    """What each service's settings say of tokens."""

    @property
    def jwt_issuer(self) -> str: ...
    @property
    def jwt_audience(self) -> str: ...
    @property
    def jwt_lifetime_seconds_max(self) -> float: ...


class TokenVerifier:
    """Verifies tokens against the settings' algorithm, issuer and audience, with ``keys`` and ``revoked`` as they are
    known."""

    def __init__(
        self, settings: JwtSettings, keys: TokenKeys | None = None, revoked: RevokedTokens | None = None
    ) -> None:
        self.keys = keys or TokenKeys(settings)
        self.revoked = revoked or RevokedTokens(followed=False)
        self._lifetime_seconds_max = settings.jwt_lifetime_seconds_max
        self._algorithm = settings.jwt_algorithm
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._verified: OrderedDict[bytes, tuple[PublicKey, Mapping[str, Any]]] = OrderedDict()
        self.sessions: Callable[[str], Mapping[str, Any] | None] | None = None
        """What a header says that the service itself has made for who signed in: claims of ours, ``exp`` among them;
        None where it is no such header."""

    def caller_of(self, authorization: str | None) -> Caller:
        """The caller of an ``Authorization`` header; raises :class:`TokenRefused`."""
        claims = None if self.sessions is None else self.sessions(authorization or "")
        if claims is None:
            claims = self._signed(authorization or "")
        elif claims["exp"] <= time.time():
            raise TokenRefused("what you signed in for has ended")
        if claims.get("jti") is not None and not self.revoked.is_known:
            raise TokenUnsure("which tokens were taken back is not known yet; try again in a moment")
        if self.revoked.holds(claims.get("jti")):
            raise TokenRefused(TAKEN_BACK)
        return _caller(claims)

    def _signed(self, authorization: str) -> Mapping[str, Any]:
        """The claims of a bearer token whose signature, issuer, audience and times are right."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > TOKEN_CHARACTERS_MAX:
            raise TokenRefused("a bearer token is required")
        try:
            return self._verified_claims(token.strip())
        except jwt.ExpiredSignatureError:
            raise TokenRefused("the token has expired") from None
        except (jwt.InvalidTokenError, ValueError, OverflowError):  # also a claim that Python cannot count
            raise TokenRefused("the token is not valid for this service") from None

    def _verified_claims(self, token: str) -> Mapping[str, Any]:
        """As PyJWT raises. What time does not change is looked at once: a hundred requests that come together would
        keep everybody waiting for as many signatures of one token."""
        key, digest = self._key_of(token), hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None and known[0] is key and int(known[1]["exp"]) > time.time() - LEEWAY_SECONDS:
            self._verified.move_to_end(digest)
            return known[1]
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[self._algorithm],
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
        # As PyJWT reads it: a signer may write the time as text. Compared as it is: a longer one fits into no float.
        if int(claims["exp"]) > time.time() + self._lifetime_seconds_max + LEEWAY_SECONDS:
            raise TokenRefused(f"the token is good for longer than {self._lifetime_seconds_max:,.0f} s from now")
        self._verified[digest] = key, claims
        if len(self._verified) > VERIFIED_MAX:
            self._verified.popitem(last=False)
        return claims

    def _key_of(self, token: str) -> PublicKey:
        name = jwt.get_unverified_header(token).get("kid")
        try:
            return self.keys.key_of(name)
        except KeyUnknown:
            raise TokenRefused("the token is signed with a key that is not known here") from None


def _caller(claims: Mapping[str, Any]) -> Caller:
    token_id = claims.get("jti")
    match claims:
        case {"role": "platform", "sub": str(subject)}:
            return Platform(subject, token_id=token_id)
        case {"role": "org", "sub": str(subject), "org_id": str(org_id)}:
            try:
                return OrgMember(subject, UUID(org_id), scopes=_scopes(claims), token_id=token_id)
            except ValueError:
                raise TokenRefused("the token's org_id is not a UUID") from None
        case _:
            raise TokenRefused("the token has no role that this service knows")


def _scopes(claims: Mapping[str, Any]) -> frozenset[Scope] | None:
    """A text with spaces (RFC 8693, section 4.2; RFC 9068) or a list. What is neither names no scope of ours."""
    if "scope" not in claims:
        return None
    match claims["scope"]:
        case str(text):
            named: list[object] = list(text.split(" "))
        case list(named):
            pass
        case _:
            named = []
    return frozenset(scope for scope in Scope if scope.value in named)

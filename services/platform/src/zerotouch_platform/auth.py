"""Who is calling: bearer tokens (JWT), verified with a public key; neither service can sign one.

The algorithm is the configured one, never the token's own choice. A token has ``iss``, ``aud``, ``exp``, ``sub`` and a
``role``: ``platform`` may do everything for every organization, ``org`` what a clinic may for its own ``org_id``.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol
from uuid import UUID

import jwt

from zerotouch_platform.public_key import Algorithm, require_key_of_algorithm

LEEWAY_SECONDS: Final = 30
"""How far the clock of whoever signs may be from ours."""
TOKEN_CHARACTERS_MAX: Final = 8192


@dataclass(frozen=True, slots=True)
class Platform:
    """The operator of the platform: every organization."""

    subject: str
    role: Literal["platform"] = "platform"


@dataclass(frozen=True, slots=True)
class OrgMember:
    """A clinic: its own organization only."""

    subject: str
    org_id: UUID
    role: Literal["org"] = "org"


Caller = Platform | OrgMember


class TokenRefused(Exception):
    """The token does not say who is calling. ``reason`` is for the caller and names no secret."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class JwtSettings(Protocol):
    """What each service's settings say of tokens; the key is PEM."""

    @property
    def jwt_public_key(self) -> str: ...
    @property
    def jwt_algorithm(self) -> Algorithm: ...
    @property
    def jwt_issuer(self) -> str: ...
    @property
    def jwt_audience(self) -> str: ...


class TokenVerifier:
    """Verifies tokens against the settings' key, algorithm, issuer and audience."""

    def __init__(self, settings: JwtSettings) -> None:
        self._key = require_key_of_algorithm(settings.jwt_public_key, settings.jwt_algorithm)
        self._algorithm = settings.jwt_algorithm
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience

    def caller_of(self, authorization: str | None) -> Caller:
        """The caller of an ``Authorization`` header; raises :class:`TokenRefused`."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > TOKEN_CHARACTERS_MAX:
            raise TokenRefused("a bearer token is required")
        try:
            claims = jwt.decode(
                token.strip(),
                self._key,
                algorithms=[self._algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise TokenRefused("the token has expired") from None
        except (jwt.InvalidTokenError, ValueError, OverflowError):  # also a claim that Python cannot count
            raise TokenRefused("the token is not valid for this service") from None
        return _caller(claims)


def _caller(claims: dict[str, Any]) -> Caller:
    match claims:
        case {"role": "platform", "sub": str(subject)}:
            return Platform(subject)
        case {"role": "org", "sub": str(subject), "org_id": str(org_id)}:
            try:
                return OrgMember(subject, UUID(org_id))
            except ValueError:
                raise TokenRefused("the token's org_id is not a UUID") from None
        case _:
            raise TokenRefused("the token has no role that this service knows")
